// The Monitor of a conversation.
#include <fmt/format.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "agents/prompt.h"
#include "agents/talk.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr size_t transcript_max = 64u << 20, said_max = 1u << 20, calls_max = 1000;

volatile sig_atomic_t signalled = 0;

std::string text_of(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// The newest change below a directory, .git apart; an agent's tree may be large, so it is looked at seldom.
int64_t newest_change(const fs::path& top) {
  int64_t newest = 0;
  std::error_code ec;
  size_t seen = 0;
  for (auto it = fs::recursive_directory_iterator(top, fs::directory_options::skip_permission_denied, ec);
       !ec && it != fs::recursive_directory_iterator() && ++seen < 20'000; it.increment(ec)) {
    if (it->path().filename() == ".git") {
      it.disable_recursion_pending();
      continue;
    }
    auto time = it->last_write_time(ec);
    if (!ec) newest = std::max<int64_t>(newest, time.time_since_epoch().count());
    ec.clear();
  }
  return newest;
}

}  // namespace

void take_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { signalled = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}
bool interrupted() { return signalled != 0; }

Monitor::Monitor(const Task& task, const Profile& profile, Budgets budgets, std::vector<std::string> granted)
    : task_(task),
      profile_(profile),
      budgets_(budgets),
      granted_(std::move(granted)),
      transcript_(task.home() / fmt::format("transcript-{}.jsonl", task.attempt), std::ios::app) {}

void Monitor::message(bool from_agent, std::string_view line) {
  if (from_agent) word();
  if (written_ > transcript_max) return;
  written_ += line.size() + 2;
  transcript_ << (from_agent ? "< " : "> ") << line << '\n' << std::flush;
  if (written_ > transcript_max) transcript_ << "# longer than it may be: the rest is not kept\n" << std::flush;
}

void Monitor::update(const Json& update) {
  auto kind = text_of(update, "sessionUpdate");
  if (kind == "agent_message_chunk" && update.contains("content")) {
    auto text = text_of(update["content"], "text");
    if (said_.size() < said_max) said_ += text;
    progress_in(text);
  } else if (kind == "plan" && update.contains("entries") && update["entries"].is_array() &&
             !update["entries"].empty()) {
    double done = 0;
    std::string doing;
    for (auto& entry : update["entries"]) {
      auto status = text_of(entry, "status");
      done += status == "completed" ? 1 : status == "in_progress" ? 0.5 : 0;
      if (status == "in_progress" && doing.empty()) doing = text_of(entry, "content");
    }
    tell(done / double(update["entries"].size()), doing);
  } else if (kind == "tool_call") {
    if (calls_.size() >= calls_max) calls_.clear();
    calls_[text_of(update, "toolCallId")] = {text_of(update, "kind"), text_of(update, "title")};
    auto what = text_of(update, "kind") + " " + text_of(update, "title");
    auto call = what + (update.contains("rawInput") ? json_text(update["rawInput"]) : "");
    repeats_ = call == repeated_ ? repeats_ + 1 : 1;
    repeated_ = std::move(call);
    tell(fraction_, text_of(update, "title"));
  } else if (kind == "usage_update") {
    double money = 0;
    if (auto cost = update.find("cost"); cost != update.end() && cost->is_object() && cost->contains("amount") &&
                                         (*cost)["amount"].is_number() && text_of(*cost, "currency") == "USD")
      money = (*cost)["amount"].get<double>();
    auto tokens = update.find("used");
    used_by_session(tokens != update.end() && tokens->is_number_integer() ? tokens->get<int64_t>() : 0, money);
  }
}

void Monitor::progress_in(std::string_view text) {
  line_ += text;
  size_t from = 0;
  for (size_t end; (end = line_.find('\n', from)) != line_.npos; from = end + 1)
    if (auto progress = progress_of(std::string_view(line_).substr(from, end - from)))
      tell(progress->fraction, progress->text);
  line_.erase(0, from);
  if (line_.size() > 10'000) line_.clear();
}

void Monitor::output(std::string_view bytes) {
  word();
  progress_in(bytes);
  for (auto line : split(bytes, '\n'))
    if (!line.empty()) message(true, line);
}

Usage Monitor::usage() const {
  auto out = usage_;
  out.time = Duration(age(started_));
  return out;
}

void Monitor::used(const Usage& turn) {
  usage_ = usage_before_;
  usage_ += turn;
}

// A session that is taken up again goes on counting; what it had used before was written down by the attempt then.
void Monitor::used_by_session(int64_t tokens, double money) {
  Usage now{std::max(tokens, session_.tokens), std::max(money, session_.money), true};
  usage_.tokens += now.tokens - session_.tokens;
  usage_.money += now.money - session_.money;
  usage_.known = true;
  session_ = now;
}

AcpListener::Answer Monitor::permission(const Json& tool_call) {
  // It may say only what changes: the rest stands in the call that it told before.
  auto [kind, title] = calls_[text_of(tool_call, "toolCallId")];
  if (auto said = text_of(tool_call, "kind"); !said.empty()) kind = said;
  if (auto said = text_of(tool_call, "title"); !said.empty()) title = said;
  auto what = fmt::format("{}: {}", kind.empty() ? "other" : kind, title);
  switch (profile_.permission(kind.empty() ? "other" : kind)) {
    case Permission::allow:
      return Answer::allow;
    case Permission::deny:
      fmt::print("denied by the profile: {}\n", printable(what));
      return Answer::deny;
    case Permission::ask:
      break;
  }
  if (std::ranges::find(granted_, what) != granted_.end()) return Answer::allow;
  asked_ = what;
  held_ = true;
  return Answer::stop;
}

void Monitor::sample() {
  sampled_ = Clock::now();
  if (process_ > 0) {
    auto cpu = cpu_ms(process_);
    if (std::abs(cpu - cpu_) >= 50) last_cpu_ = sampled_;
    cpu_ = cpu;
  }
  // Files are looked at only when nothing else speaks for it: that walk costs the most.
  if (age(last_word_) > profile_.silence.count() / 2 && age(last_cpu_) > profile_.silence.count() / 2) {
    auto files = newest_change(task_.worktree());
    if (files != files_) last_files_ = sampled_;
    files_ = files;
  }
}

Diagnosis Monitor::diagnosis() const {
  return diagnose({.alive = true,
                   .asks = !asked_.empty(),
                   .word_age = age(last_word_),
                   .cpu_age = age(last_cpu_),
                   .files_age = files_ == 0 ? -1 : age(last_files_),
                   .repeats = repeats_,
                   .repeated = repeated_.substr(0, 200)},
                  profile_);
}

// Also in the middle of a turn: what a killed one had used counts.
void Monitor::write_down() {
  if (usage_.tokens == written_down_.tokens && usage_.money == written_down_.money) return;
  written_down_ = usage_;
  (void)write_usage(task_, usage());
  if (when_written_) when_written_();
}

std::string Monitor::look() {
  write_down();
  if (interrupted()) return "stopped from outside";
  if (age(sampled_) >= std::clamp<int64_t>(profile_.silence.count() / 4, 200, 5000)) sample();
  auto how = diagnosis();
  if (how.health == Health::stuck || how.health == Health::looping)
    return fmt::format("{}: {}", name(how.health), how.evidence);
  if (profile_.time.count() > 0 && age(started_) > profile_.time.count())
    return fmt::format("it took longer than {}", human(profile_.time));
  spent_ = agents::spent(task_, usage(), budgets_);
  if (spent_.share >= 1) {
    held_ = true;
    return "the budget is used up: " + spent_.text;
  }
  if (spent_.share >= 0.8 && !warned_) {
    warned_ = true;
    hushed_ = told_ = {};  // at once, and what comes right after it must not cover it
    tell(fraction_, "warning: " + spent_.text);
    hushed_ = Clock::now();
  }
  return {};
}

void Monitor::tell(double fraction, std::string_view text) {
  bool soon = Clock::now() - told_ < std::chrono::seconds(1) && fraction == fraction_;
  fraction_ = fraction;
  if (soon || Clock::now() - hushed_ < std::chrono::seconds(1)) return;
  told_ = Clock::now();
  auto line = printable(text.substr(0, 150));
  std::ranges::replace(line, '\n', ' ');
  fmt::print("::progress {:.2f} {}\n", fraction, line);
  std::fflush(stdout);
}

}  // namespace sparky::agents
