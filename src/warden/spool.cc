#include "warden/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "warden/protocol.h"

namespace sparky::warden {
namespace {

constexpr uint32_t format_version = 1;
constexpr size_t record_max_bytes = 4096;
constexpr size_t head_bytes = 4 + 4 + 8;  // length of the rest, CRC-32 of number and rest, number

enum Record : uint8_t { header, accept_, start_, pid_, exit_, forget_, settle_ };

// CRC-32 (IEEE 802.3, reflected, polynomial 0xEDB88320).
uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t c = ~0u;
  for (char b : bytes) c = table[(c ^ uint8_t(b)) & 0xff] ^ (c >> 8);
  return ~c;
}

void append_record(std::string& out, uint64_t number, uint8_t type, std::string_view fields) {
  std::string checked;
  Writer(checked).u64(number);
  checked.push_back(char(type));
  checked.append(fields);
  Writer(out).u32(uint32_t(fields.size() + 1)).u32(crc32(checked));
  out.append(checked);
}

// The good record at the start of `bytes`; its type is the first byte of `body`. Empty body: none.
struct Raw {
  uint64_t number = 0;
  std::string_view body;
};
Raw record_at(std::string_view bytes) {
  Reader in(bytes.substr(0, head_bytes));
  uint32_t length = in.u32(), crc = in.u32();
  uint64_t number = in.u64();
  if (!in.ok() || length == 0 || length > record_max_bytes || bytes.size() < head_bytes + length) return {};
  if (crc32(bytes.substr(8, 8 + length)) != crc) return {};
  return {number, bytes.substr(head_bytes, length)};
}

void put_header(std::string& out, const std::string& boot, bool intact) {
  Writer(out).text("sparky-spool").u32(format_version).text(boot).u32(intact);
}

void apply(SpoolContents& contents, std::string_view body) {
  auto type = uint8_t(body[0]);
  Reader in(body.substr(1));
  if (type == header) {
    if (in.text() != "sparky-spool") return;
    contents.newer = in.u32() > format_version;
    contents.boot = in.text();
    contents.intact = in.u32() == 1;
    return;
  }
  if (type == settle_) {
    contents.intact = true;
    return;
  }
  auto id = in.text();
  if (type == forget_) {
    contents.entries.erase(id);
    return;
  }
  auto& entry = contents.entries[id];
  if (type == start_) {
    entry.state = Entry::State::started;
    entry.started = Time{Duration{int64_t(in.u64())}};
    entry.boot_ms = in.u64();
  } else if (type == pid_) {
    entry.pid = int64_t(in.u64());
  } else if (type == exit_) {
    entry.state = Entry::State::exited;
    entry.exit = take_exit(in);
  }
}

}  // namespace

SpoolContents parse_spool(std::string_view bytes) {
  SpoolContents contents;
  bool gap = false, damaged = false;
  uint64_t number = 0;
  for (size_t at = 0; at < bytes.size();) {
    auto record = record_at(bytes.substr(at));
    // Numbers only grow: a stale record in a recycled block is not taken for one of this file.
    if (record.body.empty() || (contents.records > 0 && record.number <= number)) {
      gap = true;
      ++at;
      continue;
    }
    damaged = damaged || gap || (contents.records > 0 && record.number != number + 1);
    number = record.number;
    ++contents.records;
    apply(contents, record.body);
    if (contents.newer) return contents;
    at += head_bytes + record.body.size();
  }
  if (damaged) contents.intact = false;
  return contents;
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 4096);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

uint64_t boot_clock_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return uint64_t(t.tv_sec) * 1000 + uint64_t(t.tv_nsec) / 1'000'000;
}

const Entry* Spool::find(const std::string& id) const {
  auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

void Spool::append(uint8_t type, std::string_view fields) {
  append_record(pending_, ++number_, type, fields);
  ++position_;
}

void Spool::accept(const std::string& id) {
  entries_[id] = {};
  std::string fields;
  Writer(fields).text(id);
  append(accept_, fields);
}

void Spool::start(const std::string& id, Time at) {
  auto& entry = entries_[id];
  entry.state = Entry::State::started;
  entry.started = at;
  entry.boot_ms = boot_clock_ms();
  std::string fields;
  Writer(fields).text(id).u64(uint64_t(at.time_since_epoch().count())).u64(entry.boot_ms);
  append(start_, fields);
}

void Spool::pid(const std::string& id, int64_t pid) {
  entries_[id].pid = pid;
  std::string fields;
  Writer(fields).text(id).u64(uint64_t(pid));
  append(pid_, fields);
}

void Spool::exit(const std::string& id, const Exit& exit) {
  auto& entry = entries_[id];
  entry.state = Entry::State::exited;
  entry.exit = exit;
  std::string fields;
  put(Writer(fields).text(id), exit);
  append(exit_, fields);
}

void Spool::forget(const std::string& id) {
  if (entries_.erase(id) == 0) return;
  std::string fields;
  Writer(fields).text(id);
  append(forget_, fields);
}

void Spool::settle() {
  intact_ = true;
  append(settle_, {});
}

Status Spool::write() {
  if (broken_) return fail(Errc::io, "the spool is not writable");
  for (std::string_view rest = pending_; !rest.empty();) {
    ssize_t n = ::write(fd_.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      broken_ = true;
      return fail_errno(errno, "cannot write " + (directory_ / "spool").string());
    }
    rest.remove_prefix(size_t(n));
  }
  file_bytes_ += pending_.size();
  pending_.clear();
  return {};
}

std::string Spool::image(uint64_t& number) const {
  std::string out, fields;
  number = 0;
  auto record = [&](uint8_t type) {
    append_record(out, ++number, type, fields);
    fields.clear();
  };
  put_header(fields, boot_id(), intact_);
  record(header);
  for (auto& [id, entry] : entries_) {
    if (entry.state == Entry::State::exited) {
      put(Writer(fields).text(id), entry.exit);
      record(exit_);
      continue;
    }
    Writer(fields).text(id);
    record(accept_);
    if (entry.state != Entry::State::started) continue;
    Writer(fields).text(id).u64(uint64_t(entry.started.time_since_epoch().count())).u64(entry.boot_ms);
    record(start_);
    if (entry.pid == 0) continue;
    Writer(fields).text(id).u64(uint64_t(entry.pid));
    record(pid_);
  }
  return out;
}

void Spool::load(Entries entries, bool intact) {
  entries_ = std::move(entries);
  intact_ = intact;
}

bool Spool::wants_rewrite() const {
  // An entry is about 200 bytes; records about four times what they describe are mostly about what is forgotten.
  return file_bytes_ > rewrite_from_bytes && file_bytes_ > 800 * entries_.size();
}

Status Spool::rewrite() {
  broken_ = true;
  uint64_t records = 0;
  auto bytes = image(records);
  SPARKY_TRY(write_file_atomic(directory_ / "spool", bytes, {.mode = 0600}));
  Fd fd(::open((directory_ / "spool").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "cannot open " + (directory_ / "spool").string());
  fd_ = std::move(fd);
  file_bytes_ = bytes.size();
  number_ = records;
  pending_.clear();
  broken_ = false;
  return {};
}

}  // namespace sparky::warden
