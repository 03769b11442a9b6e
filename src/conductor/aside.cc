#include "conductor/aside.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "conductor/desk.h"
#include "config/config.h"

namespace sparky::conductor {
namespace {

wire::Reply list_settings(const std::filesystem::path& project) {
  auto [values, found] = config::load(project);
  wire::SettingList reply{.file = config::file_of(project).string()};
  Json all = Json::array();
  for (auto& setting : config::settings()) all.push_back(config::describe(setting, values.value(setting.key)));
  reply.settings = wire::document(std::move(all));
  for (auto& d : found) reply.problems.push_back(d.text());
  return reply;
}

}  // namespace

wire::Reply answer_aside(const std::filesystem::path& project, const StudioAnswers& studio,
                         const wire::Request& request) {
  if (std::holds_alternative<wire::ListSettings>(request)) return list_settings(project);
  if (auto* change = std::get_if<wire::ChangeSetting>(&request)) {
    std::optional<std::string_view> value;
    if (change->value) value = *change->value;
    auto changed = config::set(project, change->key, value);
    return changed ? wire::Reply(wire::Done{}) : wire::Reply(error_reply(changed.error()));
  }
  if (studio) return studio(request);
  return error_reply({Errc::unavailable, "this Sparky has no studio", "sparky serve has one"});
}

Aside::Aside(std::filesystem::path project, StudioAnswers studio)
    : project_(std::move(project)), studio_(std::move(studio)), ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Aside::~Aside() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Aside::ask(wire::Request request, Then then) {
  std::lock_guard lock(mutex_);
  if (!thread_.joinable()) {  // signals are the loop's alone
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { work(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  asked_.emplace_back(std::move(request), std::move(then));
  changed_.notify_one();
}

void Aside::tell() {
  uint64_t count = 0;
  if (::read(ready_.get(), &count, sizeof count) != sizeof count) return;
  std::vector<std::pair<wire::Reply, Then>> answered;
  {
    std::lock_guard lock(mutex_);
    answered.swap(answered_);
  }
  for (auto& [reply, then] : answered) then(reply);
}

void Aside::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !asked_.empty(); });
    if (ending_) return;
    auto [request, then] = std::move(asked_.front());
    asked_.pop_front();
    lock.unlock();
    auto reply = answer_aside(project_, studio_, request);
    lock.lock();
    answered_.emplace_back(std::move(reply), std::move(then));
    uint64_t one = 1;
    (void)!::write(ready_.get(), &one, sizeof one);
  }
}

}  // namespace sparky::conductor
