// What a terminal sends, whatever it is: no crash, and no text that could control a terminal.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "tui/keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparky::tui::KeyReader reader;
  auto check = [](const std::vector<sparky::tui::Key>& keys) {
    for (auto& key : keys)
      if (key.name != "paste" && sparky::printable(key.text) != key.text) std::abort();
  };
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(reader.feed(bytes.substr(0, size / 2)));
  check(reader.feed(bytes.substr(size / 2)));
  check(reader.flush());
  return 0;
}
