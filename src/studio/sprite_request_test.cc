#include "studio/sprite_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "studio/generate.h"

namespace sparky::studio {
namespace {

SpriteRequest full() {
  SpriteRequest r;
  r.model = "/home/me/models/sprite-32";
  r.prompt = "a red dragon";
  r.negative = "blue";
  r.seed = 18446744073709551615u;
  r.steps = 12;
  r.cfg = 2.5;
  r.size = 64;
  r.colors = 8;
  r.init = "/home/me/a.png";
  r.strength = 0.4;
  r.loras = {{"/home/me/loras/style.safetensors", 0.8}};
  return r;
}

TEST(SpriteRequest, SaysAndReadsTheSame) {
  auto back = parse_request(to_json(full()));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(to_json(*back), to_json(full()));
  EXPECT_EQ(back->seed, full().seed);
}

TEST(SpriteRequest, NamesTheFieldThatIsWrong) {
  struct Case {
    Json change;
    std::string message;
  };
  for (const auto& [change, message] : std::vector<Case>{
           {{{"size", 33}}, "field 'size' must be a multiple of 32 from 32 to 1024"},
           {{{"size", 2048}}, "field 'size'"},
           {{{"steps", 0}}, "field 'steps' must be 1 to 1000"},
           {{{"steps", 1e300}}, "field 'steps' must be a whole number"},
           {{{"seed", -1}}, "field 'seed' must be a whole number, 0 or more"},
           {{{"colors", 1}}, "field 'colors'"},
           {{{"cfg", "x"}}, "field 'cfg' must be a number"},
           {{{"sampler", "ddim"}}, "field 'sampler' must be \"euler\" or \"heun\""},
           {{{"strength", 0}}, "field 'strength'"},
           {{{"mask", "m.png"}}, "a mask needs a picture"},
           {{{"loras", {1}}}, "loras[0] must be an object"},
           {{{"loras", {{{"weight", 1}}}}}, "field 'loras[0].path' is missing"},
           {{{"loras", {{{"path", "x"}, {"wait", 1}}}}}, "unknown field 'loras[0].wait'"},
           {{{"wings", 2}}, "unknown field 'wings'"},
       }) {
    Json j{{"prompt", "x"}};
    j.update(change);
    auto r = parse_request(j);
    ASSERT_FALSE(r) << change.dump();
    EXPECT_TRUE(r.error().is(Errc::invalid));
    EXPECT_NE(r.error().message.find(message), std::string::npos) << r.error().message;
  }
  EXPECT_FALSE(parse_request(Json::array()));
}

TEST(PngText, TellsTheStoryAndRepeatsIt) {
  auto r = full();
  r.count = 4;
  auto text = png_text(r, 77, "0123456789abcdef", "0.1.0");
  EXPECT_EQ(
      text.at("parameters"),
      "a red dragon <lora:style:0.8>\nNegative prompt: blue\nSteps: 12, Sampler: Euler, CFG scale: 2.5, Seed: 77, "
      "Size: 64x64, Model hash: 0123456789, Model: sprite-32, Denoising strength: 0.4, Version: sparky 0.1.0");
  auto again = request_of(text);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->seed, 77u);
  EXPECT_EQ(again->count, 1);
  EXPECT_EQ(again->loras.at(0).weight, 0.8);
  EXPECT_EQ(again->model, "sprite-32");
  EXPECT_EQ(again->init, "a.png");
  EXPECT_EQ(again->loras.at(0).path, "style.safetensors");
  for (const auto& [key, value] : text) EXPECT_EQ(value.find("/home"), std::string::npos) << key << ": " << value;
  r.model = "/home/me/models/sprite-32/";
  EXPECT_NE(png_text(r, 1, "0123456789", "0.1.0").at("parameters").find("Model: sprite-32"), std::string::npos);
  auto none = request_of({{"Comment", "hello"}});
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(Errc::not_found));
  EXPECT_FALSE(request_of({{"sparky", "{]"}}));
}

TEST(GenerateJob, TakesAllThatAClientAsksFor) {
  auto job = parse_generate({{"type", "generate"},
                             {"prompt", "a red dragon"},
                             {"model", "sprite-32"},
                             {"size", {64, 64}},
                             {"steps", 7},
                             {"cfg_scale", 2.5},
                             {"batch_size", 3},
                             {"seed", 5},
                             {"negative", "green"},
                             {"colors", 9}},
                            "j1");
  ASSERT_TRUE(job) << job.error().text();
  auto& r = job->request;
  EXPECT_EQ(std::tie(r.prompt, r.negative, r.size, r.steps, r.cfg, r.count, r.seed, r.colors),
            std::make_tuple("a red dragon", "green", 64, 7, 2.5, 3, 5u, 9));
  EXPECT_FALSE(parse_generate({{"type", "generate"}, {"prompt", "x"}, {"model", "m"}, {"colors", 1}}, "j1"));
}

}  // namespace
}  // namespace sparky::studio
