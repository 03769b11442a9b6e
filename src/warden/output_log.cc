#include "warden/output_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace sparky::warden {
namespace {

constexpr uint64_t block_bytes = 64u << 10;  // holes begin and end here, a multiple of any file system's block
constexpr std::string_view marker = "::progress ";
constexpr size_t line_max_bytes = 512;

}  // namespace

OutputLog::OutputLog(std::filesystem::path path, uint64_t max_bytes)
    : path_(std::move(path)), head_(std::max(max_bytes / 2 / block_bytes, uint64_t(1)) * block_bytes), tail_(head_) {}

bool OutputLog::open() {
  if (fd_) return true;
  if (!trouble_.empty()) return false;
  auto made = make_directories(path_.parent_path(), 0700);
  if (made) fd_ = Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) trouble_ = made ? "cannot write " + path_.string() + ": " + std::strerror(errno) : made.error().message;
  return bool(fd_);
}

void OutputLog::write(std::string_view bytes) {
  total_ += bytes.size();
  if (bytes.empty()) return;
  if (!open()) {
    cut_ += bytes.size();
    return;
  }
  put(bytes);
  // In steps of a quarter of the tail, so that a flood of output costs few calls.
  if (offset_ > std::max(hole_end_, head_) + tail_ + tail_ / 4 + block_bytes) cut_middle();
}

void OutputLog::put(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), off_t(offset_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {  // most often a full disk: the command goes on, what it said is counted as cut
      trouble_ = "cannot write " + path_.string() + ": " + std::strerror(errno);
      cut_ += bytes.size();
      return;
    }
    offset_ += uint64_t(n);
    bytes.remove_prefix(size_t(n));
  }
}

void OutputLog::cut_middle() {
  uint64_t from = std::max(hole_end_, head_);
  uint64_t to = (offset_ - tail_) / block_bytes * block_bytes;
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_t(from), off_t(to - from)) == 0) {
    hole_end_ = to;
    cut_ += to - from;
    return;
  }
  // A file system without holes: the tail starts anew, a block after the head.
  if (::ftruncate(fd_.get(), off_t(head_)) != 0) return;
  cut_ += offset_ - from;
  offset_ = hole_end_ = head_ + block_bytes;
}

void OutputLog::close() {
  if (!fd_) return;
  auto line = "\n[sparky: " + std::to_string(cut_) + " bytes of output cut here]\n";
  if (hole_end_ == 0) {
    if (cut_ > 0) put(line);
    fd_.reset();
    return;
  }
  // The line and the tail move down into the hole, which is wider than the line: nothing unread is overwritten.
  uint64_t end = offset_, from = hole_end_;
  offset_ = head_;
  put(line);
  std::string chunk(block_bytes, '\0');
  while (from < end) {
    ssize_t n = ::pread(fd_.get(), chunk.data(), std::min<uint64_t>(chunk.size(), end - from), off_t(from));
    if (n <= 0) break;
    put(std::string_view(chunk).substr(0, size_t(n)));
    from += uint64_t(n);
  }
  if (::ftruncate(fd_.get(), off_t(offset_)) != 0) trouble_ = "cannot shorten " + path_.string();
  fd_.reset();
}

std::optional<ProgressScanner::Progress> ProgressScanner::scan(std::string_view bytes) {
  std::optional<Progress> last;
  while (!bytes.empty()) {
    if (skipping_) {  // the fast path: most output is not for us
      auto found = static_cast<const char*>(::memmem(bytes.data(), bytes.size(), "\n::progress ", 12));
      // Without the marker only the last line matters: it may be the beginning of one.
      auto end = found ? size_t(found - bytes.data()) : bytes.rfind('\n');
      if (end == bytes.npos) return last;
      bytes.remove_prefix(end + 1);
      skipping_ = false;
      continue;
    }
    auto end = bytes.find('\n');
    auto part = bytes.substr(0, end);
    line_.append(part.substr(0, line_max_bytes - std::min(line_max_bytes, line_.size())));
    auto compared = std::min(line_.size(), marker.size());
    bool possible = std::string_view(line_).substr(0, compared) == marker.substr(0, compared);
    if (end == bytes.npos) {
      skipping_ = !possible;
      if (skipping_) line_.clear();
      return last;
    }
    if (possible)
      if (auto progress = parse(line_)) last = std::move(progress);
    line_.clear();
    // Keep the newline: the marker of the next line may follow it directly.
    bytes.remove_prefix(end);
    skipping_ = true;
  }
  return last;
}

std::optional<ProgressScanner::Progress> ProgressScanner::parse(std::string_view line) const {
  if (!line.starts_with(marker)) return {};
  line.remove_prefix(marker.size());
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  Progress progress;
  auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), progress.fraction);
  if (error != std::errc() || !(progress.fraction >= 0 && progress.fraction <= 1)) return {};
  line.remove_prefix(size_t(end - line.data()));
  if (!line.empty() && line[0] != ' ') return {};
  line.remove_prefix(std::min<size_t>(1, line.size()));
  progress.text = line.substr(0, 200);
  return progress;
}

}  // namespace sparky::warden
