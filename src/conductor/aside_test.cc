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
