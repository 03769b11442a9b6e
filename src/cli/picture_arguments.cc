#include "cli/picture_arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/cli.h"
#include "pixel/color.h"

namespace sparky::cli {
namespace fs = std::filesystem;

CLI::Option* add_color(CLI::App* command, const std::string& flag, std::optional<pixel::Rgba>& target,
                       const std::string& help) {
  auto set = [&target](const std::string& given) {
    target = pixel::parse_color(given);
    if (!target) throw CLI::ValidationError("\"" + given + "\" is not a colour (rrggbb, rrggbbaa or transparent)");
  };
  return command->add_option_function<std::string>(flag, set, help)->type_name("COLOR");
}

CLI::Option* add_size(CLI::App* command, const std::string& flag, Size& target, const std::string& help) {
  auto set = [&target](const std::string& given) {
    auto parts = split(given, 'x');
    auto number = [](std::string_view text, int& to) {
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
      return error == std::errc() && end == text.data() + text.size() && to > 0;
    };
    Size size;
    bool good = parts.size() <= 2 && number(parts.front(), size.width) && number(parts.back(), size.height);
    if (!good) throw CLI::ValidationError("\"" + given + "\" is not a size (16x24, or 16 for a square)");
    target = size;
  };
  return command->add_option_function<std::string>(flag, set, help)->type_name("WxH");
}

void add_batch(CLI::App* command, Batch& batch) {
  command->add_option("IN", batch.inputs, "pictures (PNG, JPEG, WebP, GIF; told by content)")->required();
  command->add_option("-o,--output", batch.output, "the PNG to write; a directory (made if it ends in /) for several")
      ->type_name("OUT")
      ->required();
  command->add_flag("--indexed", batch.indexed, "write an indexed PNG (up to 256 colours)");
}

namespace {

Result<std::vector<fs::path>> outputs(const Batch& batch) {
  std::error_code ignored;
  bool directory = fs::is_directory(batch.output, ignored) || !batch.output.has_filename();
  if (batch.inputs.size() > 1 && !directory)
    return fail(Errc::invalid,
                fmt::format("{} pictures cannot all be written to {}", batch.inputs.size(), batch.output.string()),
                "name a directory: -o " + batch.output.string() + "/");
  if (!directory && lower(batch.output.extension().string()) != ".png")
    return fail(Errc::invalid, fmt::format("{}: pictures are written as PNG", batch.output.string()), "end it in .png");
  if (directory) return studio::outputs_in(batch.output, batch.inputs);
  return std::vector<fs::path>{batch.output};
}

}  // namespace

void run_batch(const Batch& batch, Context& context,
               const std::function<Result<pixel::Picture>(const pixel::Picture&)>& operation) {
  run_telling_batch(batch, context, [&](const pixel::Picture& p, Json&) { return operation(p); });
}

void run_telling_batch(const Batch& batch, Context& context, const studio::Operation& operation) {
  auto files = outputs(batch);
  if (!files) {
    context.exit = report(files.error());
    return;
  }
  Json pictures = Json::array();
  for (size_t i = 0; i < files->size(); ++i) {
    auto done = studio::convert_picture(batch.inputs[i], (*files)[i], batch.indexed, operation);
    if (!done) {
      context.exit = report(done.error());
      if (i > 0) fmt::print(stderr, "  {} of {} pictures were written before it\n", i, files->size());
      break;
    }
    if (!context.json)
      fmt::print(stderr, "{}: {}×{}, {} colours{}\n", printable((*files)[i].string()), (*done)["width"].get<int>(),
                 (*done)["height"].get<int>(), (*done)["colors"].get<size_t>(), done->value("note", ""));
    done->erase("note");
    pictures.push_back(std::move(*done));
  }
  if (context.json) print_json({{"pictures", std::move(pictures)}});
}

void print_json(const Json& document) { fmt::print("{}\n", json_text(document, 2)); }

void add_examples(CLI::App* command, const std::string& examples) { command->footer("Examples:\n" + examples); }

}  // namespace sparky::cli
