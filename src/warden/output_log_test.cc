#include "warden/output_log.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sparky::warden {
namespace {

namespace fs = std::filesystem;

struct File {
  File() {
    std::string pattern = (fs::temp_directory_path() / "sparky log.XXXXXX").string();
    directory = mkdtemp(pattern.data());
    path = directory / "deep" / "log";
  }
  ~File() { fs::remove_all(directory); }
  fs::path directory, path;
};

TEST(OutputLog, ASilentCommandLeavesNoFile) {
  File file;
  OutputLog log(file.path, 1 << 20);
  log.write("");
  log.close();
  EXPECT_FALSE(fs::exists(file.path));
}

// Every size around the limits: what is kept is the start and the end of what was written, and the line says the rest.
TEST(OutputLog, KeepsHeadAndTail) {
  for (size_t total : {0ul, 1ul, 100'000ul, 262'144ul, 300'000ul, 400'000ul, 500'001ul, 1'000'000ul, 3'333'333ul}) {
    for (size_t piece : {1000ul, 65'536ul}) {
      File file;
      std::string all;
      for (size_t i = 0; all.size() < total; ++i) all += std::to_string(i) + "\n";
      all.resize(total);
      OutputLog log(file.path, 256 << 10);
      uint64_t most = 0;
      for (size_t at = 0; at < all.size(); at += piece) {
        log.write(std::string_view(all).substr(at, piece));
        struct stat st{};
        ASSERT_EQ(stat(file.path.c_str(), &st), 0);
        most = std::max(most, uint64_t(st.st_blocks) * 512);
      }
      log.close();
      auto kept = total ? *read_file(file.path) : "";
      EXPECT_LT(most, 512u << 10);
      EXPECT_EQ(log.total_bytes(), total);
      if (log.cut_bytes() == 0) {
        EXPECT_EQ(kept, all);
        continue;
      }
      auto line = "\n[sparky: " + std::to_string(log.cut_bytes()) + " bytes of output cut here]\n";
      auto at = kept.find(line);
      ASSERT_NE(at, kept.npos);
      EXPECT_GE(at, 128u << 10);
      EXPECT_GE(kept.size() - at - line.size(), 128u << 10);
      EXPECT_EQ(kept.substr(0, at), all.substr(0, at));
      EXPECT_EQ(kept.substr(at + line.size()), all.substr(all.size() - (kept.size() - at - line.size())));
      EXPECT_EQ(kept.size() - line.size() + log.cut_bytes(), total);
    }
  }
}

TEST(OutputLog, WhereItCannotBeWrittenItSaysSo) {
  File file;
  fs::create_directories(file.path);  // a directory lies there
  OutputLog log(file.path, 1 << 20);
  log.write("abc");
  log.close();
  EXPECT_EQ(log.cut_bytes(), 3u);
  EXPECT_NE(log.trouble().find("deep/log"), std::string::npos);
}

// However the stream is cut into pieces, the last good line of it is found.
RC_GTEST_PROP(ProgressScanner, FindsTheLastLineHoweverItIsCut, (uint64_t seed)) {
  static const char* const parts[] = {"::progress 0.5 half\n",
                                      "::progress 1\n",
                                      "::progress 0.25 a b\r\n",
                                      "noise\n",
                                      "\n",
                                      " ::progress 0.1 indented\n",
                                      "::progress 2 much\n",
                                      "::progress x\n",
                                      "::progre",
                                      "ss 0.75\n",
                                      "long line ",
                                      "::progress 1e9999\n"};
  std::string all = "\n";
  for (int i = 0; i < 12; ++i, seed /= 12) all += parts[seed % 12];
  all += "\nend\n";
  std::optional<double> expected;
  for (size_t at = 0; (at = all.find('\n', at)) != all.npos; ++at) {
    auto line = std::string_view(all).substr(at + 1, all.find('\n', at + 1) - at - 1);
    for (auto [text, value] : {std::pair{"::progress 0.5 half", 0.5},
                               {"::progress 1", 1.0},
                               {"::progress 0.25 a b\r", 0.25},
                               {"::progress 0.75", 0.75}})
      if (line == text) expected = value;
  }
  for (size_t piece : {1ul, 2ul, 7ul, 13ul, 1000ul}) {
    ProgressScanner scanner;
    std::optional<double> found;
    for (size_t at = 0; at < all.size(); at += piece)
      if (auto p = scanner.scan(std::string_view(all).substr(at, piece))) found = p->fraction;
    if (found != expected)
      RC_FAIL(all + " piece " + std::to_string(piece) + " found " + std::to_string(found.value_or(-1)) + " expected " +
              std::to_string(expected.value_or(-1)));
  }
}

TEST(ProgressScanner, KeepsTheTextWithinBounds) {
  ProgressScanner scanner;
  auto p = scanner.scan("::progress 0.5 " + std::string(10'000, 'x') + "\n");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->text.size(), 200u);
  EXPECT_FALSE(scanner.scan("::progress nan\n"));
  EXPECT_FALSE(scanner.scan("::progress -0.5\n"));
  EXPECT_FALSE(scanner.scan("::progress 0.5x\n"));
}

}  // namespace
}  // namespace sparky::warden
