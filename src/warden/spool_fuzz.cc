// Any bytes as a spool and as a stream of frames: read without harm, and an entry that comes out can be written again.
#include "warden/protocol.h"
#include "warden/spool.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky::warden;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto contents = parse_spool(bytes);
  for (auto& [id, entry] : contents.entries) {
    std::string again;
    Writer out(again);
    put(out, entry.exit);
    Reader in(again);
    auto exit = take_exit(in);
    if (!in.done() || exit.note != entry.exit.note || exit.code != entry.exit.code) __builtin_trap();
  }
  FrameReader frames;
  frames.append(bytes);
  while (auto item = frames.next()) {
    Reader in(item->fields);
    auto spec = take_spec(in);
    if (in.done() && complaint(spec).empty() && (spec.id.empty() || !spec.cwd.is_absolute())) __builtin_trap();
    Reader lists(item->fields);
    lists.list();
  }
  return 0;
}
