#include "wire/pictures.h"

namespace sparky::wire {

Result<std::string> read_picture(Door& door, const std::string& path) {
  constexpr size_t most = 64u << 20;
  std::string bytes;
  for (;;) {
    SPARKY_ASSIGN(auto part, door.ask<PicturePart>(ReadPicture{.path = path, .offset = bytes.size()}));
    if (part.size > most) return fail(Errc::full, path + " is larger than 64 MiB");
    bytes += part.data.data;
    if (bytes.size() >= part.size) return bytes;
    if (part.data.empty()) return fail(Errc::io, path + " became shorter while it was read");
  }
}

}  // namespace sparky::wire
