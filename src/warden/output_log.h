// What a command prints, kept within a limit. Everything is written at its own offset; beyond the limit the middle of
// the file is given back to the disk as a hole, so that a reader who follows the file sees the newest output at its
// true place. At the end the hole becomes one line that says what was cut.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.h"

namespace sparky::warden {

class OutputLog {
 public:
  OutputLog(std::filesystem::path path, uint64_t max_bytes);
  void write(std::string_view bytes);  // cannot fail: an output that cannot be kept is counted, and trouble() says why
  void close();

  uint64_t total_bytes() const { return total_; }
  uint64_t cut_bytes() const { return cut_; }
  const std::string& trouble() const { return trouble_; }

 private:
  bool open();
  void put(std::string_view bytes);
  void cut_middle();

  std::filesystem::path path_;
  uint64_t head_, tail_;   // how much of the start and (at least) of the end to keep
  Fd fd_;                  // opened by the first byte: a silent command leaves no file
  uint64_t offset_ = 0;    // of the next byte in the file
  uint64_t hole_end_ = 0;  // the file has no data from the end of its head to here
  uint64_t total_ = 0, cut_ = 0;
  std::string trouble_;
};

// Finds lines of the form `::progress 0.65 stage text` in a stream of bytes.
class ProgressScanner {
 public:
  struct Progress {
    double fraction = 0;  // 0 to 1
    std::string text;     // at most 200 bytes
  };
  // The last such line that these bytes complete.
  std::optional<Progress> scan(std::string_view bytes);

 private:
  std::optional<Progress> parse(std::string_view line) const;
  std::string line_;       // the start of an unfinished line, as long as it may become one
  bool skipping_ = false;  // this line cannot: ignore up to its end
};

}  // namespace sparky::warden
