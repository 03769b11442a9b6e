#include "conductor/aside.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "conductor/test_project.h"

namespace sparky::conductor {
namespace {
using namespace std::chrono_literals;

TEST(Aside, TheStudioAnswersBesideTheLoop) {
  Project project;
  auto options = project.options();
  std::atomic<bool> go_on = false;
  options.studio = [&](const wire::Request& request) -> wire::Reply {
    EXPECT_TRUE(wire::is_of_studio(request));
    while (!go_on) std::this_thread::sleep_for(1ms);
    return wire::GalleryList{.pictures = wire::document(Json::array()), .total = 7, .version = "v"};
  };
  Running running(options);
  auto client = project.client(), other = project.client();
  ASSERT_TRUE(client && other);
  std::thread asks([&] {
    auto list = client->ask<wire::GalleryList>(wire::ListGallery{}, Duration(30'000));
    ASSERT_TRUE(list) << list.error().text();
    EXPECT_EQ(list->total, 7u);
  });
  // The studio is held; everybody else is answered.
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(other->ask<wire::RunList>(wire::ListRuns{}));
  go_on = true;
  asks.join();
}

TEST(Aside, ARequestWithAKeyIsDoneOnceAlsoAcrossARestart) {
  Project project;
  std::atomic<int> restored = 0;
  auto options = project.options();
  options.studio = [&](const wire::Request&) -> wire::Reply {
    ++restored;
    return wire::Done{};
  };
  auto restore = [&](std::string key) {
    auto client = project.client();
    auto reply =
        client->ask(wire::Request(wire::RestorePictures{}), wire::Envelope{.key = std::move(key)}, Duration(5000));
    return reply && std::holds_alternative<wire::Done>(*reply);
  };
  {
    Running running(options);
    EXPECT_TRUE(restore("k"));
    EXPECT_TRUE(restore("k"));
    EXPECT_EQ(restored, 1);
    EXPECT_TRUE(restore(""));
    EXPECT_EQ(restored, 2);
  }
  Running running(options);
  EXPECT_TRUE(restore("k"));
  EXPECT_EQ(restored, 2);
}

// The studio's files are written, and the daemon ends before the journal has heard of it.
TEST(Aside, ARequestWithAKeyThatWasCutOffIsNotDoneTwice) {
  Project project;
  std::atomic<int> restored = 0;
  std::atomic<bool> go_on = false;
  auto options = project.options();
  options.studio = [&](const wire::Request&) -> wire::Reply {
    ++restored;
    while (!go_on) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return wire::Done{};
  };
  auto restore = [&](std::string key, int patience_ms) {
    auto client = project.client();
    return client->ask(wire::Request(wire::RestorePictures{}), wire::Envelope{.key = std::move(key)},
                       Duration(patience_ms));
  };
  {
    Running running(options);
    std::thread asks([&] { (void)restore("k", 100); });
    while (restored == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    asks.join();
    std::thread ends([&] { running.end(); });
    (*running).stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    go_on = true;
    ends.join();
  }
  Running running(options);
  auto again = restore("k", 5000);
  ASSERT_TRUE(again) << again.error().text();
  auto* refused = std::get_if<wire::ErrorReply>(&*again);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->code, "unavailable") << refused->message;
  EXPECT_EQ(restored, 1);
}

TEST(Aside, WhatFailedMayBeAskedAgainWithItsKey) {
  Project project;
  std::atomic<int> asked = 0;
  auto options = project.options();
  options.studio = [&](const wire::Request&) -> wire::Reply {
    if (++asked == 1) return wire::ErrorReply{"nothing was deleted", "", "not_found", {}};
    return wire::Done{};
  };
  Running running(options);
  auto client = project.client();
  auto restore = [&] {
    return client->ask(wire::Request(wire::RestorePictures{}), wire::Envelope{.key = "k"}, Duration(5000));
  };
  EXPECT_TRUE(std::holds_alternative<wire::ErrorReply>(*restore()));
  EXPECT_TRUE(std::holds_alternative<wire::Done>(*restore()));
  EXPECT_TRUE(std::holds_alternative<wire::Done>(*restore()));
  EXPECT_EQ(asked, 2);
}

TEST(Aside, SettingsAreListedAndWritten) {
  Project project;
  ASSERT_TRUE(write_file_atomic(project.path / "sparky.toml", "[run]\njobs = 3  # mine\n"));
  Running running(project.options());
  auto client = project.client();
  ASSERT_TRUE(client);
  auto value = [&] {
    auto list = client->ask<wire::SettingList>(wire::ListSettings{});
    if (!list) return list.error().text();
    for (auto& setting : *list->settings)
      if (setting["key"] == "run.jobs")
        return setting["value"].get<std::string>() + " " + std::string(setting["source"]);
    return std::string("missing");
  };
  EXPECT_EQ(value(), "3 file");
  EXPECT_TRUE(client->ask<wire::Done>(wire::ChangeSetting{"run.jobs", "5"}));
  EXPECT_EQ(project.read("sparky.toml"), "[run]\njobs = 5  # mine\n");
  EXPECT_TRUE(client->ask<wire::Done>(wire::ChangeSetting{"run.jobs", std::nullopt}));
  EXPECT_EQ(value(), "0 default");
  // `key` is the setting's name here, so the idempotency key has its other name.
  auto set = [&](const char* to) {
    auto reply =
        client->ask(wire::Request(wire::ChangeSetting{"run.jobs", to}), wire::Envelope{.key = "once"}, Duration(5000));
    return reply && std::holds_alternative<wire::Done>(*reply);
  };
  EXPECT_TRUE(set("6"));
  EXPECT_TRUE(client->ask<wire::Done>(wire::ChangeSetting{"run.jobs", "7"}));
  EXPECT_TRUE(set("6"));
  EXPECT_EQ(value(), "7 file") << "the same key again does nothing";
  EXPECT_FALSE(set("8")) << "and belongs to what it came with";
  EXPECT_EQ(client->ask<wire::Done>(wire::ChangeSetting{"run.jobs", "many"}).error().code, Errc::invalid);
  EXPECT_EQ(client->ask<wire::GalleryList>(wire::ListGallery{}).error().code, Errc::unavailable) << "no studio here";
}

TEST(Aside, AProjectWithoutADaemonAnswersToo) {
  Project project;
  auto door =
      open_door(project.path, {}, [](const wire::Request&) -> wire::Reply { return wire::Done{{"studio"}, 0}; });
  ASSERT_TRUE(door) << door.error().text();
  auto done = (*door)->ask<wire::Done>(wire::RestorePictures{});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->notes, std::vector<std::string>{"studio"});
  EXPECT_TRUE((*door)->ask<wire::SettingList>(wire::ListSettings{}));
}

TEST(Loop, LeavesWhenIdle) {
  Project project;
  auto options = project.options();
  options.idle_exit = Duration(300);
  auto conductor = Conductor::open(options);
  ASSERT_TRUE(conductor) << conductor.error().text();
  EXPECT_TRUE((*conductor)->run()) << "ends by itself";
}

}  // namespace
}  // namespace sparky::conductor
