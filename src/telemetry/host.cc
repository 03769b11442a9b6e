#include "telemetry/host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "base/files.h"
#include "base/text.h"

namespace sparky::telemetry {
namespace fs = std::filesystem;

namespace {

std::optional<int64_t> to_number(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

fs::path Host::path(std::string_view absolute) const { return root_ / fs::path(absolute).relative_path(); }

bool Host::exists(std::string_view absolute) const {
  std::error_code ec;
  return fs::exists(path(absolute), ec);
}

std::string Host::text(std::string_view absolute) const {
  return read_file(path(absolute), 16u << 20).value_or(std::string{});
}

std::vector<std::string> Host::lines(std::string_view absolute) const { return words(text(absolute), '\n'); }

std::optional<std::string> Host::line(std::string_view absolute) const {
  std::string all = text(absolute);
  std::string_view first = trim(std::string_view(all).substr(0, all.find('\n')));
  if (first.empty()) return std::nullopt;
  return std::string(first);
}

std::optional<int64_t> Host::number(std::string_view absolute) const {
  auto first = line(absolute);
  return first ? to_number(*first) : std::nullopt;
}

std::vector<std::string> Host::names(std::string_view absolute_dir) const {
  std::vector<std::string> out;
  std::error_code ec;
  for (fs::directory_iterator it(path(absolute_dir), ec), end; !ec && it != end; it.increment(ec))
    out.push_back(it->path().filename().string());
  std::sort(out.begin(), out.end(), natural_less);
  return out;
}

std::string Host::link_target(std::string_view absolute) const {
  std::error_code ec;
  auto target = fs::read_symlink(path(absolute), ec);
  return ec ? std::string{} : target.string();
}

std::vector<std::string> words(std::string_view text, char at) {
  std::vector<std::string> out;
  for (auto part : split(text, at))
    if (!part.empty()) out.emplace_back(part);
  return out;
}

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> out;
  for (auto part : split(trim(text), ',')) {
    auto dash = part.find('-');
    auto from = to_number(part.substr(0, dash));
    auto to = dash == std::string_view::npos ? from : to_number(part.substr(dash + 1));
    if (!from || !to || *from < 0 || *to < *from || *to > 65535) continue;
    for (int64_t cpu = *from; cpu <= *to && out.size() < 65536; ++cpu) out.push_back(int(cpu));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string cpu_list_text(const std::vector<int>& cpus) {
  std::string out;
  for (size_t i = 0; i < cpus.size();) {
    size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!out.empty()) out += ',';
    out += last == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[last]);
    i = last + 1;
  }
  return out;
}

std::optional<int64_t> parse_kernel_size(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  int shift = 0;
  switch (text.back()) {
    case 'K':
      shift = 10;
      break;
    case 'M':
      shift = 20;
      break;
    case 'G':
      shift = 30;
      break;
    default:
      break;
  }
  auto value = to_number(shift ? text.substr(0, text.size() - 1) : text);
  if (!value || *value < 0 || *value > (int64_t(1) << 32)) return std::nullopt;
  return *value << shift;
}

bool natural_less(std::string_view a, std::string_view b) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      size_t i0 = i, j0 = j;
      while (i < a.size() && digit(a[i])) ++i;
      while (j < b.size() && digit(b[j])) ++j;
      auto x = a.substr(i0, i - i0), y = b.substr(j0, j - j0);
      x.remove_prefix(std::min(x.find_first_not_of('0'), x.size()));
      y.remove_prefix(std::min(y.find_first_not_of('0'), y.size()));
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;
}

std::string find_program(std::string_view name) {
  const char* path = std::getenv("PATH");
  for (auto dir : split(path ? path : "/usr/bin:/bin", ':')) {
    auto candidate = fs::path(dir.empty() ? "." : dir) / name;
    std::error_code ec;
    if (fs::is_regular_file(candidate, ec) && ::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return {};
}

}  // namespace sparky::telemetry
