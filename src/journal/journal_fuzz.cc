// Any bytes as a journal file: an error or rows whose chain holds; never a crash. Salvage must leave a sound journal.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/files.h"
#include "journal/journal.h"

namespace fs = std::filesystem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  static const fs::path dir = fs::temp_directory_path() / ("sparky-journal-fuzz-" + std::to_string(::getpid()));
  fs::remove_all(dir);
  auto file = dir / "journal.db";
  // The first byte says where the database ends and its write-ahead log begins, in 1/256 of the whole.
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  size_t cut = data[0] == 255 ? bytes.size() : bytes.size() * data[0] / 256;
  WriteOptions quick{.sync = false};
  if (!write_file_atomic(file, bytes.substr(0, cut), quick)) std::abort();
  if (cut < bytes.size() && !write_file_atomic(dir / "journal.db-wal", bytes.substr(cut), quick)) std::abort();
  auto nothing = [](const journal::Record&) -> Status { return {}; };
  if (auto reader = journal::Reader::open(file)) {
    (void)reader->replay(0, nothing);
    (void)reader->snapshots();
  }
  (void)journal::verify(file);
  auto saved = journal::salvage(file);
  if (saved && !journal::verify(file)) std::abort();
  fs::remove_all(dir);
  return 0;
}
