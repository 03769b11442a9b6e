// Picture arguments: what the commands on pictures share: choices, colours, and "one picture to a file, many to a
// directory".
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "pixel/picture.h"
#include "studio/file_work.h"

namespace sparky::cli {
struct Context;

// An option whose value is one of a few names.
template <class T>
CLI::Option* add_choice(CLI::App* command, const std::string& flag, T& target,
                        std::vector<std::pair<std::string, T>> choices, const std::string& help) {
  std::string names, shown;
  for (auto& [name, value] : choices) {
    names += (names.empty() ? "" : "|") + name;
    if (value == target) shown = name;
  }
  auto set = [&target, choices, names](const std::string& given) {
    for (auto& [name, value] : choices)
      if (name == given) {
        target = value;
        return;
      }
    throw CLI::ValidationError("\"" + given + "\" is not one of " + names);
  };
  return command->add_option_function<std::string>(flag, set, help)->type_name(names)->default_str(shown);
}
CLI::Option* add_color(CLI::App* command, const std::string& flag, std::optional<pixel::Rgba>& target,
                       const std::string& help);

// "16x24" → {16, 24}; "16" → {16, 16}.
struct Size {
  int width = 0, height = 0;
};
CLI::Option* add_size(CLI::App* command, const std::string& flag, Size& target, const std::string& help);

// IN… -o OUT [--indexed].
struct Batch {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  bool indexed = false;
};
void add_batch(CLI::App* command, Batch& batch);

// Reads each input, applies the operation, writes the result as PNG with the input's PNG texts; says what it wrote on
// stderr, or as JSON {"pictures": [{"input", "output", "width", "height", "colors"}]}. Stops at the first error.
void run_batch(const Batch& batch, Context& context,
               const std::function<Result<pixel::Picture>(const pixel::Picture&)>& operation);
// The same for an operation that has more to say: what it puts into the object goes into the picture's JSON, and its
// "note", if it has one, onto the line for people.
void run_telling_batch(const Batch& batch, Context& context, const studio::Operation& operation);

void print_json(const Json& document);
// "  sparky …" lines as the help's footer.
void add_examples(CLI::App* command, const std::string& examples);

}  // namespace sparky::cli
