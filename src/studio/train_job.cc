#include "studio/train_job.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "base/text.h"
#include "studio/request.h"
#include "studio/sprite_process.h"

namespace sparky::studio {
namespace fs = std::filesystem;
namespace {

// The options of `sparky-sprite train` (sprite/main.cc) that a job may give. A field's name has '_' for the option's
// '-'.
struct Option {
  enum class Kind { path, text, whole, number, flag };
  std::string_view name;
  Kind kind;
};
constexpr Option options[] = {
    {"dataset", Option::Kind::path},
    {"out", Option::Kind::path},
    {"resume", Option::Kind::flag},
    {"lora", Option::Kind::flag},
    {"base", Option::Kind::text},
    {"minutes", Option::Kind::number},
    {"steps", Option::Kind::whole},
    {"batch", Option::Kind::whole},
    {"lr", Option::Kind::number},
    {"ema", Option::Kind::number},
    {"seed", Option::Kind::whole},
    {"channels", Option::Kind::text},
    {"rank", Option::Kind::whole},
    {"alpha", Option::Kind::number},
    {"checkpoint-minutes", Option::Kind::number},
    {"sheet-minutes", Option::Kind::number},
};

std::string field_of(std::string_view option) {
  std::string name(option);
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

// `out/job` names the job that trains there, so that its next attempt knows the checkpoint for its own and goes on from
// it. A training that is none of the job's keeps its mark: sparky-sprite refuses it, however often the job is tried.
Result<bool> take_folder(const fs::path& out, std::string_view job, bool resume) {
  auto mark = out / "job";
  auto before = read_file(mark, 1 << 10);
  bool trained = fs::exists(out / "train.safetensors");
  if (before && *before == job) return trained;
  if (trained && !resume) return false;
  SPARKY_TRY(make_directories(out));
  SPARKY_TRY(write_file_atomic(mark, job));
  return false;
}

}  // namespace

Result<std::vector<std::string>> train_arguments(const Json& request) {
  RequestFields fields(request);
  std::vector<std::string> words;
  for (auto& option : options) {
    auto name = field_of(option.name);
    auto dashed = "--" + std::string(option.name);
    bool there = request.is_object() && request.contains(name);
    std::string text;
    double number = 0;
    int whole = 0;
    bool flag = false;
    switch (option.kind) {
      case Option::Kind::path:
      case Option::Kind::text:
        fields.take(name, text);
        if (there && text.empty()) fields.refuse(name, "not empty");
        break;
      case Option::Kind::whole:
        fields.take(name, whole, 0);
        text = std::to_string(whole);
        break;
      case Option::Kind::number:
        fields.take(name, number, 0);
        text = fmt::format("{}", number);
        break;
      case Option::Kind::flag:
        fields.take(name, flag);
        break;
    }
    if (flag) words.push_back(dashed);
    if (there && option.kind != Option::Kind::flag) words.push_back(dashed + "=" + text);
  }
  fields.need("dataset");
  fields.need("out");
  SPARKY_TRY(fields.end());
  return words;
}

Result<Json> train_request(const std::vector<std::string>& words) {
  Json request = Json::object();
  for (size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "-o") word = "--out";
    auto name = word.substr(0, word.find('='));
    auto* option = std::ranges::find_if(options, [&](auto& o) { return name == "--" + std::string(o.name); });
    if (option == std::end(options))
      return fail(Errc::invalid, fmt::format("a job of training does not know '{}'", printable(word)),
                  "`sparky train --help` tells the options");
    auto field = field_of(option->name);
    if (option->kind == Option::Kind::flag) {
      request[field] = true;
      continue;
    }
    std::string value;
    if (name.size() < word.size()) {
      value = word.substr(name.size() + 1);
    } else {
      if (++i == words.size()) return fail(Errc::invalid, fmt::format("{} needs a value", name));
      value = words[i];
    }
    if (option->kind == Option::Kind::text) request[field] = value;
    if (option->kind == Option::Kind::path) request[field] = fs::absolute(value).lexically_normal().string();
    if (option->kind != Option::Kind::whole && option->kind != Option::Kind::number) continue;
    char* end = nullptr;
    double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0' || !std::isfinite(number))
      return fail(Errc::invalid, fmt::format("{} takes a number, not '{}'", name, printable(value)));
    if (option->kind == Option::Kind::whole && number == std::floor(number) && std::abs(number) < 9e15)
      request[field] = int64_t(number);
    else
      request[field] = number;
  }
  SPARKY_TRY(train_arguments(request));
  return request;
}

Result<Json> train(const Json& request, std::string_view job, const fs::path& output, const JobProgress& progress,
                   const std::function<void(std::string png, int64_t step)>& preview, const JobCancelled& cancelled) {
  SPARKY_ASSIGN(auto words, train_arguments(request));
  const fs::path out = request["out"].get<std::string>();
  const bool lora = request.value("lora", false);
  progress("loading_models", 0, 0);
  if (!lora) {
    bool resume = request.value("resume", false);
    SPARKY_ASSIGN(bool goes_on, take_folder(out, job, resume));
    if (goes_on && !resume) words.emplace_back("--resume");
  }
  words.insert(words.begin(), {"train", "--json", "--while-input"});
  SPARKY_ASSIGN(auto process, SpriteProcess::start(words));
  std::optional<fs::file_time_type> shown;
  bool asked_to_stop = false;
  for (;;) {
    if (cancelled() && !asked_to_stop) {
      process.close_input();  // it stops after the step at hand, with a checkpoint
      asked_to_stop = true;
    }
    SPARKY_ASSIGN(auto event, process.receive(Duration(200)));
    if (!event) continue;
    auto kind = event->value("event", "");
    auto step = event->value("step", int64_t(0));
    if (kind == "error") return std::unexpected(error_of(*event));
    if (kind == "progress") {
      double spent = event->value("seconds", 0.0), left = event->value("seconds_left", 0.0);
      progress("training", step, spent > 0 ? std::llround(double(step) * (spent + left) / spent) : 0);
    }
    std::error_code ec;
    auto sheet = out / "sheet.png";
    auto drawn = fs::last_write_time(sheet, ec);
    if (!ec && (!shown || drawn != *shown)) {
      if (shown)  // the first one may be of an earlier training
        if (auto png = read_file(sheet, 8 << 20)) preview(std::move(*png), step);
      shown = drawn;
    }
    if (kind != "result") continue;
    if (asked_to_stop) return fail(Errc::cancelled, "cancelled");
    Json made{{"files", Json::array()}, {"out", out.string()}};
    for (auto name : {"sheet.png", "loss.png"}) {
      auto png = read_file(out / name, 8 << 20);
      if (!png) continue;
      SPARKY_TRY(write_file_atomic(output / name, *png, {.sync = false}));
      made["files"].push_back(name);
    }
    for (auto key : {"step", "samples", "loss", "seconds"}) made[key] = event->value(key, Json());
    if (lora) made["lora"] = (out / "lora.safetensors").string();
    return made;
  }
}

}  // namespace sparky::studio
