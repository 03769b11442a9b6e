#include "warden/protocol.h"

#include <cstring>

namespace sparky::warden {
namespace {

template <class T>
void put_little_endian(std::string& out, T v) {
  char bytes[sizeof v];
  for (size_t i = 0; i < sizeof v; ++i) bytes[i] = char(v >> (8 * i));
  out.append(bytes, sizeof v);
}

template <class T>
T little_endian(std::string_view bytes) {
  T v = 0;
  for (size_t i = 0; i < bytes.size(); ++i) v |= T(uint8_t(bytes[i])) << (8 * i);
  return v;
}

uint64_t milliseconds(Time t) { return uint64_t(t.time_since_epoch().count()); }
Time time_of(uint64_t ms) { return Time{Duration{int64_t(ms)}}; }

}  // namespace

Writer& Writer::u32(uint32_t v) {
  put_little_endian(out_, v);
  return *this;
}

Writer& Writer::u64(uint64_t v) {
  put_little_endian(out_, v);
  return *this;
}

Writer& Writer::text(std::string_view v) {
  u32(uint32_t(v.size()));
  out_.append(v);
  return *this;
}

Writer& Writer::list(const std::vector<std::string>& v) {
  u32(uint32_t(v.size()));
  for (auto& item : v) text(item);
  return *this;
}

std::string_view Reader::take(size_t n) {
  if (!ok_ || rest_.size() < n) {
    ok_ = false;
    return {};
  }
  auto head = rest_.substr(0, n);
  rest_.remove_prefix(n);
  return head;
}

uint32_t Reader::u32() { return little_endian<uint32_t>(take(4)); }
uint64_t Reader::u64() { return little_endian<uint64_t>(take(8)); }
std::string Reader::text() { return std::string(take(u32())); }

std::vector<std::string> Reader::list() {
  std::vector<std::string> out;
  uint32_t count = u32();
  if (count > rest_.size() / 4) ok_ = false;  // each item takes four bytes at least: a lie cannot reserve memory
  for (uint32_t i = 0; i < count && ok_; ++i) out.push_back(text());
  return out;
}

void put(Writer& out, const AttemptSpec& spec) {
  out.text(spec.id).list(spec.argv).text(spec.command).text(spec.cwd.native()).list(spec.env);
  out.text(spec.log.native()).u64(spec.log_max_bytes).u64(uint64_t(spec.timeout.count()));
  out.u64(uint64_t(spec.grace.count())).u64(uint64_t(spec.stdio)).text(spec.output.native());
  out.u64(spec.beyond_slots);
}

AttemptSpec take_spec(Reader& in) {
  AttemptSpec spec;
  spec.id = in.text();
  spec.argv = in.list();
  spec.command = in.text();
  spec.cwd = in.text();
  spec.env = in.list();
  spec.log = in.text();
  spec.log_max_bytes = in.u64();
  spec.timeout = Duration{int64_t(in.u64())};
  spec.grace = Duration{int64_t(in.u64())};
  spec.stdio = Stdio(in.u64() == uint64_t(Stdio::talk));
  spec.output = in.text();
  spec.beyond_slots = in.u64() != 0;
  return spec;
}

void put(Writer& out, const Exit& exit) {
  out.u64(uint64_t(exit.ending)).u64(uint64_t(exit.code));
  out.u64(uint64_t(exit.timed_out) | uint64_t(exit.cancelled) << 1);
  out.u64(milliseconds(exit.started)).u64(milliseconds(exit.ended)).u64(uint64_t(exit.duration.count()));
  out.u64(uint64_t(exit.cpu_user.count())).u64(uint64_t(exit.cpu_system.count())).u64(exit.memory_max_bytes);
  out.u64(exit.output_bytes).u64(exit.log_cut_bytes).u64(exit.strays).text(exit.note);
}

Exit take_exit(Reader& in) {
  Exit exit;
  uint64_t ending = in.u64();
  exit.ending = Ending(ending <= uint64_t(Ending::lost) ? ending : uint64_t(Ending::lost));
  exit.code = int(in.u64());
  uint64_t flags = in.u64();
  exit.timed_out = flags & 1;
  exit.cancelled = flags & 2;
  exit.started = time_of(in.u64());
  exit.ended = time_of(in.u64());
  exit.duration = Duration{int64_t(in.u64())};
  exit.cpu_user = Duration{int64_t(in.u64())};
  exit.cpu_system = Duration{int64_t(in.u64())};
  exit.memory_max_bytes = in.u64();
  exit.output_bytes = in.u64();
  exit.log_cut_bytes = in.u64();
  exit.strays = uint32_t(in.u64());
  exit.note = in.text();
  return exit;
}

std::string complaint(const AttemptSpec& spec) {
  auto has_nul = [](std::string_view s) { return s.find('\0') != s.npos; };
  if (spec.id.empty() || spec.id.size() > 200 || spec.id.find_first_of(std::string_view("\0=\n", 3)) != spec.id.npos)
    return "an attempt's id has 1 to 200 bytes and no NUL, '=' or newline";
  if (spec.argv.empty() && spec.command.empty()) return "nothing to run: neither a command nor a program";
  if (!spec.argv.empty() && spec.argv[0].empty()) return "the program's name is empty";
  if (!spec.cwd.is_absolute()) return "the working directory must be an absolute path";
  if (!spec.log.is_absolute()) return "the log must be an absolute path";
  if (spec.stdio == Stdio::talk && !spec.output.is_absolute()) return "the output file must be an absolute path";
  bool nul = has_nul(spec.command) || has_nul(spec.cwd.native()) || has_nul(spec.log.native());
  for (auto& item : spec.argv) nul = nul || has_nul(item);
  for (auto& item : spec.env) nul = nul || has_nul(item) || item.empty() || item[0] == '=';
  if (nul) return "a command, path or environment entry holds a NUL byte or no name";
  if (spec.timeout.count() < 0 || spec.grace.count() < 0) return "timeout and grace must not be negative";
  return {};
}

Frame::Frame(std::string& out, Type type) : out_(out), start_(out.size()), writer_(out) {
  writer_.u32(0);
  out_.push_back(char(type));
}

Frame::~Frame() {
  std::string length;
  put_little_endian(length, uint32_t(out_.size() - start_ - 4));
  out_.replace(start_, 4, length);
}

void FrameReader::append(std::string_view bytes) {
  if (at_ > 0) bytes_.erase(0, std::exchange(at_, 0));
  bytes_.append(bytes);
}

std::optional<FrameReader::Item> FrameReader::next() {
  auto rest = std::string_view(bytes_).substr(at_);
  if (broken_ || rest.size() < 4) return {};
  uint32_t length = little_endian<uint32_t>(rest.substr(0, 4));
  if (length == 0 || length > frame_max_bytes) {
    broken_ = true;
    return {};
  }
  if (rest.size() < 4 + size_t(length)) return {};
  at_ += 4 + length;
  return Item{Type(rest[4]), rest.substr(5, length - 1)};
}

}  // namespace sparky::warden
