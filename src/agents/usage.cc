#include "agents/usage.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr size_t line_max = 16u << 20, kept_max = 4u << 20;

const Json& part(const Json& object, const char* key) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  auto it = object.find(key);
  return it == object.end() ? nothing : *it;
}
int64_t count(const Json& object, const char* key) {
  auto& value = part(object, key);
  if (!value.is_number()) return 0;
  double number = value.get<double>();
  return number > 0 && number < 1e15 ? int64_t(number) : 0;
}
double money(const Json& value) {
  double number = value.is_number() ? value.get<double>() : 0;
  return number > 0 && number < 1e9 ? number : 0;
}
std::string text(const Json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

std::string thousands(int64_t n) {
  if (n < 10'000) return std::to_string(n);
  return n < 10'000'000 ? fmt::format("{}k", n / 1000) : fmt::format("{:.1f}M", double(n) / 1e6);
}

}  // namespace

Usage& Usage::operator+=(const Usage& other) {
  tokens += other.tokens;
  money += other.money;
  known |= other.known;
  return *this;
}

std::string Usage::text() const {
  if (!known) return "usage unknown";
  return money > 0 ? fmt::format("{} tokens, ${:.2f}", thousands(tokens), money)
                   : fmt::format("{} tokens", thousands(tokens));
}

Usage usage_of_gemini(const Json& document) {
  Usage out;
  auto& models = part(part(document, "stats"), "models");
  if (!models.is_object()) return out;
  for (auto& [name, model] : models.items())
    if (auto tokens = count(part(model, "tokens"), "total"); tokens > 0) out += Usage{tokens, 0, true};
  return out;
}

void UsageReader::feed(std::string_view bytes) {
  all_ += bytes;
  if (all_.size() > kept_max) all_.erase(0, all_.size() - kept_max);
  while (!bytes.empty()) {
    auto end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    if (end == std::string_view::npos && line_.size() <= line_max) return;
    take(line_);
    line_.clear();
  }
}

void UsageReader::take(std::string_view line) {
  line = trim(line);
  if (!line.starts_with('{')) return;
  auto json = parse_json(line);
  if (!json) return;
  auto type = text(part(*json, "type"));
  if (type == "result") {  // Claude Code: the sum of the whole session
    auto& usage = part(*json, "usage");
    total_ = {count(usage, "input_tokens") + count(usage, "output_tokens") +
                  count(usage, "cache_creation_input_tokens") + count(usage, "cache_read_input_tokens"),
              money(part(*json, "total_cost_usd")), true};
    if (auto said = text(part(*json, "result")); !said.empty()) said_ = said;
  } else if (type == "turn.completed") {  // Codex: of one turn; cached input is part of the input
    auto& usage = part(*json, "usage");
    total_ += Usage{count(usage, "input_tokens") + count(usage, "output_tokens"), 0, true};
  } else if (type == "item.completed") {
    if (auto said = text(part(part(*json, "item"), "text")); !said.empty()) said_ = said;
  }
}

Usage UsageReader::total() const {
  if (total_.known) return total_;
  auto whole = parse_json(all_);
  return whole ? usage_of_gemini(*whole) : Usage{};
}

std::string UsageReader::last_text() const {
  if (!said_.empty()) return said_;
  if (auto whole = parse_json(all_))
    if (auto said = text(part(*whole, "response")); !said.empty()) return said;
  auto said = trim(all_);
  return std::string(said.size() > 4000 ? said.substr(said.size() - 4000) : said);
}

Usage Ledger::total() const {
  Usage out;
  for (auto& [attempt, usage] : attempts) out += usage;
  return out;
}

Ledger read_ledger(const fs::path& project, uint32_t run, std::string_view id) {
  Ledger out{.id = std::string(id), .orchestrator = {}, .attempts = {}};
  auto bytes = read_file(task_file(project, run, id).parent_path() / "usage.json", 16u << 20);
  auto json = bytes ? parse_json(*bytes) : Result<Json>(Json());
  if (!json) return out;
  out.orchestrator = text(part(*json, "orchestrator"));
  auto& attempts = part(*json, "attempts");
  if (attempts.is_object())
    for (auto& [attempt, usage] : attempts.items())
      out.attempts[attempt] = {count(usage, "tokens"), money(part(usage, "money")), part(usage, "known") == true};
  return out;
}

Status write_usage(const Task& task, const Usage& usage) {
  auto ledger = read_ledger(task.project, task.run, task.workstream.id);
  ledger.attempts[task.attempt] = usage;
  Json attempts = Json::object();
  for (auto& [attempt, u] : ledger.attempts)
    attempts[attempt] = {{"tokens", u.tokens}, {"money", u.money}, {"known", u.known}};
  return write_file_atomic(
      task.home() / "usage.json",
      json_text(Json{{"orchestrator", task.workstream.orchestrator}, {"attempts", attempts}}, 1) + "\n");
}

std::vector<Ledger> read_ledgers(const fs::path& project, uint32_t run) {
  std::vector<Ledger> out;
  std::error_code ec;
  for (auto& entry : fs::directory_iterator(task_file(project, run, "x").parent_path().parent_path(), ec))
    if (fs::exists(entry.path() / "usage.json", ec))
      out.push_back(read_ledger(project, run, entry.path().filename().string()));
  std::ranges::sort(out, {}, &Ledger::id);
  return out;
}

Spent spent(const Task& task, const Usage& now, const Budgets& budgets, int grants) {
  Usage workstream = now, orchestrator = now, run = now;
  for (auto& ledger : read_ledgers(task.project, task.run))
    for (auto& [attempt, usage] : ledger.attempts) {
      if (attempt == task.attempt) continue;
      run += usage;
      if (ledger.orchestrator == task.workstream.orchestrator) orchestrator += usage;
      if (ledger.id == task.workstream.id) workstream += usage;
    }
  Spent out;
  auto hold = [&](const std::string& who, const Usage& used, const Budget& budget) {
    double money_max = budget.money * (1 + grants), tokens_max = double(budget.tokens) * (1 + grants);
    if (budget.money > 0 && used.money / money_max > out.share)
      out = {used.money / money_max, fmt::format("{} has used ${:.2f} of ${:.2f}", who, used.money, money_max)};
    if (budget.tokens > 0 && double(used.tokens) / tokens_max > out.share)
      out = {double(used.tokens) / tokens_max,
             fmt::format("{} has used {} of {} tokens", who, thousands(used.tokens), thousands(int64_t(tokens_max)))};
  };
  hold(task.workstream.id, workstream, budgets.workstream);
  hold("the orchestrator " + task.workstream.orchestrator, orchestrator, budgets.orchestrator);
  hold("the run", run, budgets.run);
  return out;
}

}  // namespace sparky::agents
