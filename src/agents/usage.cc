#include "agents/usage.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "config/config.h"

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

fs::path grants_file(const fs::path& project, uint32_t run) {
  return task_file(project, run, "x").parent_path().parent_path() / "granted.json";
}

std::string thousands(int64_t n) {
  if (n < 10'000) return std::to_string(n);
  return n < 10'000'000 ? fmt::format("{}k", n / 1000) : fmt::format("{:.1f}M", double(n) / 1e6);
}

}  // namespace

Usage& Usage::operator+=(const Usage& other) {
  tokens += other.tokens;
  money += other.money;
  known |= other.known;
  time += other.time;
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
  ended_ |= type == "result" || type == "turn.completed";
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
      out.attempts[attempt] = {count(usage, "tokens"), money(part(usage, "money")), part(usage, "known") == true,
                               Duration(count(usage, "ms"))};
  out.tries = int(count(*json, "tries"));
  return out;
}

Status write_usage(const Task& task, const Usage& usage) {
  auto ledger = read_ledger(task.project, task.run, task.workstream.id);
  ledger.attempts[task.attempt] = usage;
  Json attempts = Json::object();
  for (auto& [attempt, u] : ledger.attempts)
    attempts[attempt] = {{"tokens", u.tokens}, {"money", u.money}, {"known", u.known}, {"ms", u.time.count()}};
  return write_file_atomic(task.home() / "usage.json", json_text(Json{{"orchestrator", task.workstream.orchestrator},
                                                                      {"tries", std::max(ledger.tries, task.number)},
                                                                      {"attempts", attempts}},
                                                                 1) +
                                                           "\n");
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

Budgets budgets_of(const fs::path& project, const Profile& profile) {
  auto settings = config::load(project).config;
  auto budget = [&](const std::string& prefix) {
    return Budget{settings.integer(prefix + "tokens"), double(settings.integer(prefix + "money")),
                  settings.duration(prefix + "time"), settings.integer(prefix + "retries")};
  };
  return {.run = budget("budget."),
          .orchestrator = budget("budget.orchestrator_"),
          .workstream = profile.budget,
          .attempt = profile.attempt};
}

std::map<std::string, int> read_grants(const fs::path& project, uint32_t run) {
  std::map<std::string, int> out;
  auto bytes = read_file(grants_file(project, run), 1u << 20);
  auto json = bytes ? parse_json(*bytes) : Result<Json>(Json());
  if (!json || !json->is_object()) return out;
  for (auto& [scope, times] : json->items())
    if (times.is_number_integer()) out[scope] = int(std::clamp<int64_t>(times.get<int64_t>(), 0, 1'000'000));
  return out;
}

void grant(std::map<std::string, int>& grants, const std::string& scope, int times) {
  if (scope != "attempt") grants[scope] = std::max(grants[scope], times);
}

Status grant(const Task& task, const std::string& scope, int times) {
  auto file = grants_file(task.project, task.run);
  SPARKY_ASSIGN(auto lock, lock_file(file.string() + ".lock", true));
  auto grants = read_grants(task.project, task.run);
  auto before = grants;
  grant(grants, scope, times);
  if (grants == before) return {};
  return write_file_atomic(file, json_text(Json(grants), 1) + "\n");
}

Spent spent(const Task& task, const Usage& now, const Budgets& budgets) {
  return spent({read_ledgers(task.project, task.run), read_grants(task.project, task.run)}, task, now, budgets);
}

Spent spent(const Books& books, const Task& task, const Usage& now, const Budgets& budgets) {
  Usage workstream = now, orchestrator = now, run = now;
  int64_t orchestrator_retries = 0, run_retries = 0;
  bool mine = false;
  auto add_retries = [&](int64_t retries, const std::string& whose) {
    run_retries += retries;
    if (whose == task.workstream.orchestrator) orchestrator_retries += retries;
  };
  for (auto& ledger : books.ledgers) {
    bool own = ledger.id == task.workstream.id;
    mine |= own;
    add_retries(own ? std::max<int64_t>(ledger.retries(), task.number - 1) : ledger.retries(), ledger.orchestrator);
    for (auto& [attempt, usage] : ledger.attempts) {
      if (own && attempt == task.attempt) continue;
      run += usage;
      if (ledger.orchestrator == task.workstream.orchestrator) orchestrator += usage;
      if (own) workstream += usage;
    }
  }
  if (!mine) add_retries(task.number - 1, task.workstream.orchestrator);
  Spent out;
  auto hold = [&](const std::string& scope, const Usage& used, int64_t retries, const Budget& budget) {
    auto granted = books.grants.find(scope);
    double times = 1 + (granted == books.grants.end() ? 0 : granted->second);
    auto who = scope == "attempt"                 ? "this attempt of " + task.workstream.id
               : scope.starts_with("workstream ") ? task.workstream.id
                                                  : "the " + scope;
    auto measure = [&](double amount, double limit, auto text) {
      if (limit <= 0) return;
      double share = amount / (limit * times);
      if (share <= out.share) return;
      out = {share, scope, fmt::format("{} has used {} of {}", who, text(amount), text(limit * times))};
      // Whoever meets the same end says the same of it.
      if (share >= 1) out.text = fmt::format("{} has used up its {}", who, text(limit * times));
    };
    measure(used.money, budget.money, [](double x) { return fmt::format("${:.2f}", x); });
    measure(double(used.tokens), double(budget.tokens), [](double x) { return thousands(int64_t(x)) + " tokens"; });
    measure(double(used.time.count()), double(budget.time.count()),
            [](double x) { return human(Duration(int64_t(x))); });
    // Nothing is half a retry: no warning, and so many may be used.
    if (auto limit = budget.retries * int64_t(times); limit > 0 && retries > limit && out.share < 1)
      out = {1, scope, fmt::format("{} has used up its {} retries", who, limit)};
  };
  hold("attempt", now, 0, budgets.attempt);
  hold("workstream " + task.workstream.id, workstream, 0, budgets.workstream);
  hold("orchestrator " + task.workstream.orchestrator, orchestrator, orchestrator_retries, budgets.orchestrator);
  hold("run", run, run_retries, budgets.run);
  return out;
}

}  // namespace sparky::agents
