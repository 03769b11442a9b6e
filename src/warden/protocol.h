// Frames between the warden and its daemon, and the encoding that the spool shares (protocol.md has the tables).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "warden/attempt.h"

namespace sparky::warden {

inline constexpr uint64_t protocol_version = 2;
inline constexpr size_t frame_max_bytes = 16u << 20;

enum class Type : uint8_t {
  // both ways; their layout never changes
  hello = 1,
  refused = 2,
  // to the warden
  slots = 10,
  reconcile,
  spawn,
  cancel,
  recall,
  input,
  forget,
  // to the daemon
  started = 40,
  progress,
  output,
  exited,
  recalled,
  too_late,
  not_started,
  reconciled,
  trouble,
};

enum class Refusal : uint64_t { busy = 1, version = 2 };

// Puts fields one after the other; little-endian.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  Writer& u32(uint32_t v);
  Writer& u64(uint64_t v);
  Writer& text(std::string_view v);
  Writer& list(const std::vector<std::string>& v);

 private:
  std::string& out_;
};

// Takes them out again. A field that is not there makes ok() false, and it and all that follow come out empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  uint32_t u32();
  uint64_t u64();
  std::string text();
  std::vector<std::string> list();
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }  // everything was there, and nothing more

 private:
  std::string_view take(size_t n);
  std::string_view rest_;
  bool ok_ = true;
};

void put(Writer& out, const AttemptSpec& spec);
AttemptSpec take_spec(Reader& in);
void put(Writer& out, const Exit& exit);
Exit take_exit(Reader& in);

// Why a spec cannot be accepted; empty if it can.
std::string complaint(const AttemptSpec& spec);

// Builds a frame at the end of `out`: Frame f(out, Type::cancel); f->text(id).u64(ms); finished by the destructor.
class Frame {
 public:
  Frame(std::string& out, Type type);
  ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  Writer* operator->() { return &writer_; }
  Writer& operator*() { return writer_; }

 private:
  std::string& out_;
  size_t start_;
  Writer writer_;
};

// Cuts a stream of bytes into frames.
class FrameReader {
 public:
  struct Item {
    Type type;
    std::string_view fields;  // valid until the next append()
  };
  void append(std::string_view bytes);
  std::optional<Item> next();              // none: more bytes are needed, or broken()
  bool broken() const { return broken_; }  // a length that no frame has: hang up

 private:
  std::string bytes_;
  size_t at_ = 0;
  bool broken_ = false;
};

}  // namespace sparky::warden
