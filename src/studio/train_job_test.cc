#include "studio/train_job.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sparky::studio {
namespace {

TEST(TrainJob, WordsBecomeARequestAndWordsAgain) {
  auto request = train_request({"--dataset", "/data", "-o", "/work", "--lora", "--steps=300", "--lr", "1e-3"});
  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(*request, (Json{{"dataset", "/data"}, {"out", "/work"}, {"lora", true}, {"steps", 300}, {"lr", 0.001}}));
  auto words = train_arguments(*request);
  ASSERT_TRUE(words) << words.error().text();
  EXPECT_EQ(*words,
            (std::vector<std::string>{"--dataset=/data", "--out=/work", "--lora", "--steps=300", "--lr=0.001"}));
}

TEST(TrainJob, PathsOnTheCommandLineAreMadeAbsolute) {
  auto request = train_request({"--dataset", "data/../mine", "-o", "style"});
  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ((*request)["dataset"], (std::filesystem::current_path() / "mine").string());
  EXPECT_EQ((*request)["out"], (std::filesystem::current_path() / "style").string());
}

TEST(TrainJob, RefusesWhatTrainWouldNotUnderstandAndNamesIt) {
  auto refused = [](const Json& request, std::string_view name) {
    auto words = train_arguments(request);
    ASSERT_FALSE(words) << request;
    EXPECT_NE(words.error().message.find(name), std::string::npos) << words.error().message;
  };
  refused({{"out", "/o"}}, "dataset");
  refused({{"dataset", "/d"}}, "out");
  refused({{"dataset", "/d"}, {"out", "/o"}, {"steps", "many"}}, "steps");
  refused({{"dataset", "/d"}, {"out", "/o"}, {"steps", -1}}, "steps");
  refused({{"dataset", "/d"}, {"out", "/o"}, {"lora", 1}}, "lora");
  refused({{"dataset", "/d"}, {"out", "/o"}, {"program", "/bin/rm"}}, "program");
  refused("all", "");
  for (std::vector<std::string> words : {std::vector<std::string>{"--dataset", "/d", "-o", "/o", "--stepps", "3"},
                                         {"--dataset", "/d", "-o", "/o", "--steps"},
                                         {"--dataset", "/d", "-o", "/o", "--steps", "three"},
                                         {"--dataset", "/d", "-o", "/o", "extra"}})
    EXPECT_FALSE(train_request(words));
}

}  // namespace
}  // namespace sparky::studio
