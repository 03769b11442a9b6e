#include "tui/talk.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "wire/pictures.h"

namespace sparky::tui {
using namespace std::chrono_literals;

struct Talk::Impl {
  std::function<Result<wire::Client>()> connect;
  Fd came{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Fd ended{::eventfd(0, EFD_CLOEXEC)};  // readable from the moment when it all ends
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Ask> asks;
  std::vector<Came> posts;
  std::atomic<bool> ending = false;
  std::thread asker, listener;

  void post(std::function<void(Model&)> what, bool shows = true) {
    std::lock_guard lock(mutex);
    posts.push_back({std::move(what), shows});
    uint64_t one = 1;
    (void)!::write(came.get(), &one, sizeof one);
  }

  // Waits, but not when it all ends.
  void pause(Duration how_long) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, how_long, [&] { return ending.load(); });
  }

  Result<wire::Reply> answer(wire::Client& client, const Ask& ask) {
    if (!ask.picture) return client.ask(ask.request, 10s);
    auto& path = std::get<wire::ReadPicture>(ask.request).path;
    SPARKY_ASSIGN(auto bytes, wire::read_picture(client, path));
    return wire::PicturePart{{std::move(bytes)}, 0, 0};
  }

  void ask_loop() {
    std::optional<wire::Client> client;
    while (!ending) {
      Ask next;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return ending || !asks.empty(); });
        if (ending) return;
        next = std::move(asks.front());
        asks.pop_front();
      }
      if (!client)
        if (auto made = connect()) client.emplace(std::move(*made));
      Result<wire::Reply> reply = fail(Errc::unavailable, "the daemon is away");
      if (client) reply = answer(*client, next);
      if (!reply && reply.error().is(Errc::unavailable)) client.reset();
      if (next.prepare)
        post(next.prepare(reply));
      else
        post([then = std::move(next.then), reply = std::move(reply)](Model& m) { then(m, reply); });
    }
  }

  // Events and updates while there is a daemon; then waits for the next one.
  void listen_loop() {
    while (!ending) {
      auto client = connect();
      if (!client) {
        post([why = client.error().message](Model& m) {
          m.connected = false;
          m.connection = one_line(why);
        });
        pause(500ms);
        continue;
      }
      auto follower = wire::Follower::start(*client, client->welcome().newest);
      auto updates = wire::Updates::open(*client);
      if (!follower || !updates) {
        pause(500ms);
        continue;
      }
      post([welcome = client->welcome()](Model& m) {
        m.connected = true;
        m.connection = "connected";
        m.project = one_line(welcome.project);
        m.version = one_line(welcome.version);
        m.jobs_due = m.plan.due = m.plan.detail_due = m.models_due = m.comparisons_due = m.settings_due = {};
        m.gallery.due = m.monitor.due = m.monitor.workers_due = {};
        for (auto& [path, held] : m.pictures) held.pending = held.broken = false;
        handle_events(m, 0);
      });
      listen(*client, *follower, *updates);
    }
  }

  // Sleeps until something comes; what comes at once is handed over together, a few dozen times a second at most.
  void listen(wire::Client& client, wire::Follower& follower, wire::Updates& updates) {
    constexpr auto quiet_max = 1500ms;  // a daemon says every second that it is there
    constexpr size_t batch_max = 5000;
    while (!ending) {
      follower.wait(updates, ended.get(), quiet_max);
      auto event = follower.next(0ms);
      uint64_t count = 0;
      for (; event && *event && count < batch_max; event = follower.next(0ms)) ++count;
      std::vector<wire::Update> batch;
      while (auto update = updates.next(0ms)) {
        batch.push_back(std::move(*update));
        if (batch.size() >= batch_max) break;
      }
      if (count > 0 || !batch.empty()) {
        bool shows = !batch.empty();  // of events only the answers that they make the studio ask for
        auto take = [count, batch = std::move(batch)](Model& m) {
          if (count > 0) handle_events(m, count);
          for (auto& update : batch) handle(m, update);
        };
        post(std::move(take), shows);
        pause(15ms);
      }
      bool quiet = std::chrono::steady_clock::now() - follower.heard() >= quiet_max;
      if (event && (!quiet || client.ask<wire::Pong>(wire::Ping{}, Duration(1500)))) continue;
      return post([](Model& m) {
        m.connected = false;
        m.connection = "the daemon does not answer";
      });
    }
  }
};

Talk::Talk(std::function<Result<wire::Client>()> connect) : impl_(std::make_unique<Impl>()) {
  impl_->connect = std::move(connect);
  sigset_t all, before;  // signals are the screen's
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->asker = std::thread([this] { impl_->ask_loop(); });
  impl_->listener = std::thread([this] { impl_->listen_loop(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Talk::~Talk() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  uint64_t one = 1;
  (void)!::write(impl_->ended.get(), &one, sizeof one);
  impl_->changed.notify_all();
  impl_->asker.join();
  impl_->listener.join();
}

void Talk::ask(Ask ask) {
  std::lock_guard lock(impl_->mutex);
  // What a person asks for goes before pictures that fill a screen.
  if (ask.picture || impl_->asks.empty() || !impl_->asks.back().picture) {
    impl_->asks.push_back(std::move(ask));
  } else {
    auto first = std::ranges::find_if(impl_->asks, [](auto& a) { return a.picture; });
    impl_->asks.insert(first, std::move(ask));
  }
  impl_->changed.notify_all();
}

int Talk::fd() const { return impl_->came.get(); }

std::vector<Talk::Came> Talk::take() {
  std::lock_guard lock(impl_->mutex);
  uint64_t count = 0;
  (void)!::read(impl_->came.get(), &count, sizeof count);
  return std::exchange(impl_->posts, {});
}

}  // namespace sparky::tui
