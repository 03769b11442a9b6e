// The disk under a directory: throughput, random access, and how long it takes until written data is safe.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <random>

#include "base/files.h"
#include "base/text.h"
#include "telemetry/bench.h"

namespace sparky::telemetry {
namespace fs = std::filesystem;

namespace {

constexpr size_t block = 1 << 20, page = 4096;

// A file without a name: whatever ends this process, nothing is left behind.
Result<Fd> nameless_file(const fs::path& directory, int flags) {
  Fd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600));
  if (fd || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) {
    if (!fd) return fail_errno(errno, fmt::format("cannot make a file in {}", directory.string()));
    return fd;
  }
  auto name = directory / fmt::format(".sparky-bench.{}.tmp", ::getpid());
  Fd named(::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | flags, 0600));
  if (!named) return fail_errno(errno, fmt::format("cannot make a file in {}", directory.string()));
  ::unlink(name.c_str());
  return named;
}

struct Free {
  void operator()(char* p) const { std::free(p); }
};
std::unique_ptr<char, Free> direct_buffer(size_t size) {  // O_DIRECT needs aligned memory
  std::unique_ptr<char, Free> buffer(static_cast<char*>(std::aligned_alloc(page, size)));
  uint64_t state = 88172645463325252ull;  // not all zeros: some disks would not store those
  for (size_t i = 0; i + 8 <= size; i += 8) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    std::memcpy(buffer.get() + i, &state, 8);
  }
  return buffer;
}

// Bytes per second, one sample for each eighth of the file. An empty list: the disk refused; errno says why.
std::vector<double> sequential(int fd, size_t bytes, bool write) {
  auto buffer = direct_buffer(block);
  std::vector<double> samples;
  const size_t part = bytes / 8 / block * block;
  for (size_t start = 0; start + part <= bytes; start += part) {
    bool ok = true;
    double seconds = time_s([&] {
      for (size_t at = start; ok && at < start + part; at += block)
        ok = (write ? ::pwrite(fd, buffer.get(), block, off_t(at)) : ::pread(fd, buffer.get(), block, off_t(at))) ==
             ssize_t(block);
      if (ok && write) ok = ::fdatasync(fd) == 0;
    });
    if (!ok) return {};
    samples.push_back(double(part) / seconds);
  }
  return samples;
}

constexpr int iops_threads = 4;

std::vector<double> random_iops(int fd, size_t bytes, bool write, bool quick) {
  std::vector<double> samples;
  for (int i = 0; i < (quick ? 3 : 5); ++i) {
    std::atomic<int64_t> operations{0};
    std::atomic<bool> failed{false};
    auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(quick ? 100 : 250);
    double seconds = time_threads_s(iops_threads, [&](int t) {
      auto buffer = direct_buffer(page);
      std::minstd_rand random(unsigned(i * iops_threads + t + 1));
      int64_t done = 0;
      for (; !failed && std::chrono::steady_clock::now() < end; ++done) {
        off_t at = off_t(random() % (bytes / page) * page);
        ssize_t n = write ? ::pwrite(fd, buffer.get(), page, at) : ::pread(fd, buffer.get(), page, at);
        if (n != ssize_t(page)) failed = true;
      }
      operations += done;
    });
    if (failed || operations == 0) return {};
    samples.push_back(double(operations) / seconds);
  }
  return samples;
}

std::vector<double> sync_times(int fd, bool quick) {
  auto buffer = direct_buffer(page);
  std::vector<double> samples;
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(quick ? 300 : 1000);
  for (off_t at = 0; samples.size() < 200 && (samples.size() < 5 || std::chrono::steady_clock::now() < end);
       at += off_t(page)) {
    bool ok = true;
    double seconds =
        time_s([&] { ok = ::pwrite(fd, buffer.get(), page, at) == ssize_t(page) && ::fdatasync(fd) == 0; });
    if (!ok) return {};
    samples.push_back(seconds);
  }
  return samples;
}

}  // namespace

void bench_disk(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown) {
  auto give_up = [&](const std::string& why) {
    for (const auto& name : benchmark_names())
      if (name.starts_with("disk.")) unknown.push_back({name, why});
  };
  const fs::path& directory = options.directory;
  size_t bytes = size_t(options.quick ? 64 : 256) << 20;
  struct statvfs space{};
  if (::statvfs(directory.c_str(), &space) == 0 && uint64_t(space.f_bavail) * space.f_frsize < 2 * bytes)
    return give_up(fmt::format("less than {} free in {}", human_bytes(2.0 * double(bytes)), directory.string()));
  struct statfs kind{};
  if (::statfs(directory.c_str(), &kind) == 0 && (kind.f_type == TMPFS_MAGIC || kind.f_type == RAMFS_MAGIC))
    return give_up(directory.string() + " lies in memory (tmpfs), not on a disk; name another with --dir");

  auto file = nameless_file(directory, O_DIRECT);
  bool direct = file.has_value();
  if (!direct) file = nameless_file(directory, 0);  // some filesystems know no O_DIRECT
  if (!file) return give_up(file.error().message);
  int fd = file->get();
  std::string how =
      direct ? "past the page cache (O_DIRECT)" : "through the page cache (this filesystem has no O_DIRECT)";
  if (!direct) unknown.push_back({"disk", "reads may have come from memory: this filesystem has no O_DIRECT"});

  auto add = [&](const char* name, const char* title, const char* unit, std::string what, std::vector<double> samples) {
    if (samples.empty())
      unknown.push_back({name, fmt::format("the disk refused: {}", std::strerror(errno))});
    else
      out.push_back({name, title, unit, fmt::format("{}, {}", what, how), std::move(samples)});
  };
  add("disk.write", "Disk: write", "B/s", fmt::format("{} in blocks of 1 MiB, synced", human_bytes(double(bytes))),
      sequential(fd, bytes, true));
  if (!direct) ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  add("disk.read", "Disk: read", "B/s", fmt::format("{} in blocks of 1 MiB", human_bytes(double(bytes))),
      sequential(fd, bytes, false));
  auto what = fmt::format("4 KiB at random places of {}, {} threads", human_bytes(double(bytes)), iops_threads);
  add("disk.read_iops", "Disk: random reads", "IOPS", what, random_iops(fd, bytes, false, options.quick));
  add("disk.write_iops", "Disk: random writes", "IOPS", what, random_iops(fd, bytes, true, options.quick));
  if (auto buffered = nameless_file(directory, 0))  // as journals write: buffered, then synced
    add("disk.fsync", "Disk: append 4 KiB and sync", "s", "append 4 KiB, then fdatasync",
        sync_times(buffered->get(), options.quick));
  else
    unknown.push_back({"disk.fsync", buffered.error().message});
}

}  // namespace sparky::telemetry
