// Host: where the facts of a machine are read from (/proc and /sys). Tests point it at a recorded tree.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparky::telemetry {

// What could not be learnt, and why. Named in every document, never silently left out.
struct Unknown {
  std::string what;  // "memory.channels"
  std::string why;
};

class Host {
 public:
  explicit Host(std::filesystem::path root = "/") : root_(std::move(root)) {}

  bool is_this_machine() const { return root_ == "/"; }
  std::filesystem::path path(std::string_view absolute) const;  // "/sys/…" under the root
  bool exists(std::string_view absolute) const;
  std::string text(std::string_view absolute) const;                    // the whole file; empty if it cannot be read
  std::vector<std::string> lines(std::string_view absolute) const;      // of the whole file; none if it cannot be read
  std::optional<std::string> line(std::string_view absolute) const;     // the first line, trimmed; nothing if empty
  std::optional<int64_t> number(std::string_view absolute) const;       // a decimal number alone in a file
  std::vector<std::string> names(std::string_view absolute_dir) const;  // entries of a directory, in natural order
  std::string link_target(std::string_view absolute) const;             // of a symbolic link; empty if there is none

 private:
  std::filesystem::path root_;
};

// The parts between blanks (or another separator), without empty ones; copies, so that the text may be temporary.
std::vector<std::string> words(std::string_view text, char at = ' ');

// "0-2,5" as the kernel writes sets of CPUs → {0,1,2,5}. What is not well-formed is skipped; at most 65536 entries.
std::vector<int> parse_cpu_list(std::string_view text);
// The other way round.
std::string cpu_list_text(const std::vector<int>& cpus);
// "32K", "36608K", "1M" as in cache/index*/size → bytes.
std::optional<int64_t> parse_kernel_size(std::string_view text);
// a2 before a10.
bool natural_less(std::string_view a, std::string_view b);
// The first executable of that name in $PATH; empty if there is none.
std::string find_program(std::string_view name);

}  // namespace sparky::telemetry
