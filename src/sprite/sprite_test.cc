#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "pixel/files.h"
#include "pixel/transform.h"
#include "sprite/generator.h"
#include "sprite/judges.h"
#include "sprite/lora.h"
#include "sprite/optimizer.h"
#include "sprite/pixels.h"
#include "sprite/sampler.h"
#include "sprite/trainer.h"
#include "sprite/weights.h"
#include "studio/dataset.h"
#include "studio/sprite_process.h"
#include "wire/fields.h"

namespace sparky::sprite {
namespace {
namespace fs = std::filesystem;
using pixel::Picture;

const fs::path kFixtures = fs::path(SPARKY_SOURCE_DIR) / "src/studio/fixtures";

NetworkConfig tiny(int64_t words) {
  NetworkConfig c;
  c.channels = {16, 32, 32};
  c.blocks = 1;
  c.text_dim = 16;
  c.text_layers = 1;
  c.condition_dim = 32;
  c.heads = 2;
  c.words = words;
  c.n_gram_buckets = 64;
  c.max_tokens = 8;
  return c;
}

studio::Vocabulary tiny_words() {
  studio::Vocabulary v;
  v.n_gram_buckets = 64;
  v.max_tokens = 8;
  for (auto w : {",", "dragon", "potion", "wall", "fountain", "red", "blue"}) v.add(w);
  return v;
}

// A folder with a model of random weights that draws something (the last layer of a new network is all zeros).
class WithModel : public testing::Test {
 protected:
  void SetUp() override {
    dir = fs::path(testing::TempDir()) / ("sprite-" + std::to_string(::getpid()) + "-" +
                                          testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(dir);
    auto words = tiny_words();
    torch::manual_seed(5);
    SpriteNet net(tiny(words.size()));
    {
      torch::NoGradGuard guard;
      for (auto& p : net->parameters()) p.add_(torch::randn_like(p) * 0.05);
    }
    ASSERT_TRUE(save_model(model(), net, words, {{"note", "test"}}, false));
  }
  void TearDown() override { fs::remove_all(dir); }
  fs::path model() const { return dir / "model"; }

  studio::SpriteRequest ask(std::string prompt, uint64_t seed) const {
    studio::SpriteRequest r;
    r.model = model().string();
    r.prompt = std::move(prompt);
    r.seed = seed;
    r.steps = 4;
    return r;
  }
  fs::path dir;
};

void expect_pixel_art(const Picture& p, int size, size_t colors) {
  EXPECT_EQ(p.width, size);
  std::set<pixel::Rgba> seen;
  for (auto c : p.pixels) {
    EXPECT_TRUE(c.a == 0 || c.a == 255);
    if (c.a == 255) seen.insert(c);
  }
  EXPECT_LE(seen.size(), colors);
}

TEST(Pixels, ThereAndBack) {
  auto p = pixel::read_picture(kFixtures / "mon/dragons/swamp_dragon.png");
  ASSERT_TRUE(p);
  auto back = to_pictures(to_tensor({&*p})).at(0);
  for (size_t i = 0; i < p->pixels.size(); ++i) {
    if (p->pixels[i].a == 255) {
      EXPECT_EQ(back.pixels[i], p->pixels[i]);
    }
    if (p->pixels[i].a == 0) {
      EXPECT_EQ(back.pixels[i], pixel::Rgba{});
    }
  }
}

TEST(Optimizer, OrthogonalisedMatricesAreNearlySo) {
  torch::manual_seed(1);
  for (auto shape : {std::vector<int64_t>{12, 40}, {40, 12}, {8, 4, 3, 3}}) {
    auto m = orthogonalised(torch::randn(shape)).flatten(1);
    auto values = std::get<1>(torch::svd(m));
    EXPECT_GT(values.min().item<double>(), 0.5);
    EXPECT_LT(values.max().item<double>(), 1.3);
  }
}

TEST(Network, PaddingChangesNothing) {
  auto words = tiny_words();
  torch::manual_seed(5);
  SpriteNet net(tiny(words.size()));
  torch::NoGradGuard guard;
  for (auto& p : net->parameters()) p.add_(torch::randn_like(p) * 0.05);
  auto one = words.encode("red dragon").tokens, longer = words.encode("blue fountain, red wall").tokens;
  auto x = torch::randn({2, 16, 16, 16}), t = torch::full({2}, 0.3);
  auto alone = net->forward(x.slice(0, 0, 1), t.slice(0, 0, 1), text_batch({one}));
  auto padded = net->forward(x, t, text_batch({one, longer})).slice(0, 0, 1);
  EXPECT_LT((alone - padded).abs().max().item<double>(), 1e-4);
}

TEST(Training, LearnsAndResumesExactly) {
  fs::path dir = fs::path(testing::TempDir()) / ("train-" + std::to_string(::getpid()));
  studio::Recipe recipe;
  for (auto folder : {"mon/dragons", "dngn/wall", "effect"}) recipe.sources.push_back({kFixtures / folder, folder, {}});
  recipe.test_share = 0;
  auto built = studio::build_dataset(recipe);
  ASSERT_TRUE(built);
  ASSERT_TRUE(studio::write_dataset(dir / "data", recipe, *built));
  TrainOptions o;
  o.dataset = dir / "data";
  o.channels = "16,32,32";
  o.batch = 8;
  o.steps = 60;
  o.learning_rate = 4e-3;
  std::vector<double> losses;
  auto train_to = [&](const fs::path& out, int64_t stop_at, bool resume) {
    o.out = out;
    o.resume = resume;
    int64_t step = 0;
    auto s = train(o, [&](const TrainReport& r) { losses.push_back(r.loss); }, [&] { return step++ == stop_at; });
    ASSERT_TRUE(s) << s.error().text();
  };
  train_to(dir / "whole", 1000, false);
  ASSERT_EQ(losses.size(), 3u);
  EXPECT_LT(losses.back(), losses.front() * 0.85);
  for (auto file : {"model.safetensors", "train.safetensors", "loss.csv", "loss.png", "sheet.png"}) {
    EXPECT_TRUE(fs::exists(dir / "whole" / file)) << file;
  }
  train_to(dir / "parts", 25, false);
  train_to(dir / "parts", 1000, true);
  auto a = load_model(dir / "whole"), b = load_model(dir / "parts");
  ASSERT_TRUE(a && b);
  for (const auto& p : a->net->named_parameters()) {
    auto q = b->net->named_parameters()[p.key()];
    EXPECT_LT((p.value() - q).abs().max().item<double>(), 1e-5) << p.key();
  }
  // The dataset gains words: the training takes them up and the old ones keep their meaning.
  recipe.sources.push_back({kFixtures / "item", "item", {}});
  auto grown = studio::build_dataset(recipe);
  ASSERT_TRUE(grown);
  fs::remove_all(dir / "data");
  ASSERT_TRUE(studio::write_dataset(dir / "data", recipe, *grown));
  o.steps = 62;
  train_to(dir / "parts", 1000, true);
  auto wider = load_model(dir / "parts");
  ASSERT_TRUE(wider) << wider.error().text();
  EXPECT_TRUE(wider->vocabulary.knows("potion") && !b->vocabulary.knows("potion"));
  EXPECT_EQ(wider->vocabulary.token("dragon").word, b->vocabulary.token("dragon").word);
  EXPECT_EQ(wider->net->config.words, wider->vocabulary.size());
  o.steps = 60;
  o.out = dir / "whole";
  o.resume = false;
  auto again = train(o, [](const TrainReport&) {}, [] { return false; });
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is(Errc::exists));

  // A LoRA on it: kohya's names and metadata, another picture, and the base again when it is taken away.
  TrainOptions l = o;
  l.base = dir / "whole";
  l.out = dir / "lora";
  l.steps = 10;
  l.rank = 2;
  l.learning_rate = 2e-2;
  auto s = train(l, [](const TrainReport&) {}, [] { return false; });
  ASSERT_TRUE(s) << s.error().text();
  auto file = studio::read_safetensors(dir / "lora/lora.safetensors");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->metadata.at("ss_network_dim"), "2");
  EXPECT_TRUE(file->metadata.contains("ss_num_train_images"));
  EXPECT_EQ(file->tensors.at("lora_unet_down_blocks_0_conv1.lora_down.weight").shape,
            (std::vector<int64_t>{2, 16, 3, 3}));
  EXPECT_EQ(file->tensors.at("lora_unet_down_blocks_0_conv1.lora_up.weight").shape,
            (std::vector<int64_t>{16, 2, 1, 1}));
  auto g = Generator::load(dir / "whole");
  ASSERT_TRUE(g);
  studio::SpriteRequest r;
  r.model = (dir / "whole").string();
  r.prompt = "swamp dragon";
  r.steps = 4;
  r.colors = 256;
  auto plain = g->generate(r, {});
  r.loras = {{(dir / "lora/lora.safetensors").string(), 1.0}};
  auto styled = g->generate(r, {});
  ASSERT_TRUE(styled) << styled.error().text();
  r.loras.clear();
  auto restored = g->generate(r, {});
  ASSERT_TRUE(plain && restored);
  EXPECT_NE(plain->pictures[0], styled->pictures[0]);
  EXPECT_EQ(plain->pictures[0], restored->pictures[0]);
  fs::remove_all(dir);
}

TEST_F(WithModel, SameSeedSameBytesWhateverTheBatchOrTheThreads) {
  auto g = Generator::load(model());
  ASSERT_TRUE(g) << g.error().text();
  auto three = ask("red dragon", 7);
  three.count = 3;
  three.colors = 256;
  auto batch = g->generate(three, {});
  ASSERT_TRUE(batch) << batch.error().text();
  EXPECT_EQ(batch->seeds, (std::vector<uint64_t>{7, 8, 9}));
  EXPECT_NE(batch->pictures[0], batch->pictures[1]);
  int before = torch::get_num_threads();
  for (int threads : {1, 2}) {
    torch::set_num_threads(threads);
    for (uint64_t i = 0; i < 3; ++i) {
      auto one = ask("red dragon", 7 + i);
      one.colors = 256;
      auto made = g->generate(one, {});
      ASSERT_TRUE(made);
      EXPECT_EQ(made->pictures[0], batch->pictures[i]) << threads << " threads";
    }
  }
  torch::set_num_threads(before);
}

TEST_F(WithModel, DrawsPixelArtOfTheSizeAskedFor) {
  auto g = Generator::load(model());
  ASSERT_TRUE(g);
  auto r = ask("blue potion", 1);
  r.size = 96;
  r.colors = 5;
  r.sampler = "heun";
  r.negative = "red";
  auto made = g->generate(r, {});
  ASSERT_TRUE(made) << made.error().text();
  expect_pixel_art(made->pictures[0], 96, 5);
  EXPECT_TRUE(pixel::scale_down(made->pictures[0], 3)) << "an exact enlargement";
}

TEST_F(WithModel, NamesUnknownWords) {
  auto g = Generator::load(model());
  ASSERT_TRUE(g);
  auto made = g->generate(ask("red dragn, pixel art", 1), {});
  ASSERT_TRUE(made);
  ASSERT_EQ(made->warnings.size(), 1u);
  EXPECT_EQ(made->warnings[0], "the model never learned the word 'dragn'; it knows dragon");
}

TEST_F(WithModel, InpaintingKeepsWhatIsMaskedOff) {
  auto g = Generator::load(model());
  ASSERT_TRUE(g);
  auto init = pixel::read_picture(kFixtures / "mon/dragons/swamp_dragon.png");
  Picture mask(32, 32, {0, 0, 0, 255});
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 32; ++x) mask.at(x, y) = {255, 255, 255, 255};
  }
  ASSERT_TRUE(pixel::write_png(dir / "init.png", *pixel::scale_up(*init, 2)));
  ASSERT_TRUE(pixel::write_png(dir / "mask.png", mask));
  auto r = ask("red", 3);
  r.init = (dir / "init.png").string();
  r.mask = (dir / "mask.png").string();
  auto made = g->generate(r, {});
  ASSERT_TRUE(made) << made.error().text();
  bool changed = false;
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      if (y >= 16) {
        EXPECT_EQ(made->pictures[0].at(x, y), init->at(x, y));
      } else {
        changed |= made->pictures[0].at(x, y) != init->at(x, y);
      }
    }
  }
  EXPECT_TRUE(changed);
  ASSERT_TRUE(pixel::write_png(dir / "odd.png", Picture(33, 32)));
  r.init = (dir / "odd.png").string();
  made = g->generate(r, {});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("33×32"), std::string::npos);
}

TEST_F(WithModel, LittleStrengthStaysNear) {
  auto g = Generator::load(model());
  ASSERT_TRUE(g);
  auto file = kFixtures / "dngn/wall/brick_brown0.png";
  auto init = pixel::read_picture(file);
  auto r = ask("wall", 3);
  r.init = file.string();
  r.colors = 256;
  auto distance = [&](double strength) {
    r.strength = strength;
    auto made = g->generate(r, {});
    double sum = 0;
    for (size_t i = 0; i < init->pixels.size(); ++i) {
      sum += std::abs(int(made->pictures[0].pixels[i].r) - int(init->pixels[i].r));
    }
    return sum;
  };
  EXPECT_LT(distance(0.1), distance(0.9));
}

TEST_F(WithModel, StopsBetweenSteps) {
  auto g = Generator::load(model());
  ASSERT_TRUE(g);
  int steps = 0;
  auto made = g->generate(ask("red dragon", 1), [&](const Step& s) {
    EXPECT_EQ(s.steps, 4);
    return ++steps < 2;
  });
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error().is(Errc::cancelled));
  EXPECT_EQ(steps, 2);
}

TEST_F(WithModel, DamagedModelsAreRefusedWithAReason) {
  auto bytes = read_file(model() / "model.safetensors");
  ASSERT_TRUE(bytes);
  auto refused = [&](const std::string& changed, std::string_view reason) {
    ASSERT_TRUE(write_file_atomic(model() / "model.safetensors", changed));
    auto r = load_model(model());
    ASSERT_FALSE(r) << reason;
    EXPECT_NE(r.error().message.find(reason), std::string::npos) << r.error().message;
  };
  refused(bytes->substr(0, bytes->size() / 2), "lie outside");
  refused("", "too few");
  auto file = *studio::parse_safetensors(*bytes);
  auto nan = file;
  auto& t = nan.tensors.at("in.weight");
  for (size_t i = 0; i < 4; ++i) nan.data[t.offset + i] = '\xff';
  refused(to_bytes(nan), "tensor 'in.weight' holds values that are no finite numbers");
  auto missing = file;
  missing.data.resize(0);
  missing.tensors.clear();
  for (const auto& [name, entry] : file.tensors) {
    if (name != "in.bias") missing.add(name, entry.dtype, entry.shape, file.bytes(entry));
  }
  refused(to_bytes(missing), "there is no tensor 'in.bias'");
  missing.add("in.bias", studio::Dtype::f32, {4}, std::string(16, '\0'));
  refused(to_bytes(missing), "tensor 'in.bias' has shape [4], the network needs [16]");
  missing = file;
  missing.add("extra", studio::Dtype::f32, {1}, std::string(4, '\0'));
  refused(to_bytes(missing), "tensor 'extra' does not belong");
  ASSERT_TRUE(write_file_atomic(model() / "config.json", "{\"format\": \"sparky-sprite-net-1\", \"blocks\": 1000}"));
  auto r = load_model(model());
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("field 'blocks' must be a whole number from 1 to 8"), std::string::npos)
      << r.error().message;
  EXPECT_TRUE(load_model(dir / "nowhere").error().is(Errc::not_found));
}

TEST_F(WithModel, HalfPrecisionLoadsTheSameModel) {
  ASSERT_TRUE(export_half(model(), dir / "half"));
  EXPECT_LT(fs::file_size(dir / "half/model.safetensors"), fs::file_size(model() / "model.safetensors") * 6 / 10);
  auto a = load_model(model()), b = load_model(dir / "half");
  ASSERT_TRUE(a && b);
  EXPECT_LT((a->net->in->weight - b->net->in->weight).abs().max().item<double>(), 1e-3);
}

TEST_F(WithModel, ServesJobsAndTurnsFailuresIntoErrors) {
  ::setenv("PATH", (std::string(SPARKY_BIN_DIR) + ":" + ::getenv("PATH")).c_str(), 1);
  auto worker = studio::SpriteProcess::start();
  ASSERT_TRUE(worker) << worker.error().text();
  auto until = [&](std::string_view kind) {
    for (;;) {
      auto e = worker->receive();
      if (!e) {
        ADD_FAILURE() << e.error().text();
        return Json();
      }
      if ((*e)["event"] == kind) return *e;
    }
  };
  auto generate = [&](int id, const studio::SpriteRequest& r) {
    ASSERT_TRUE(worker->send({{"op", "generate"}, {"id", id}, {"request", studio::to_json(r)}}));
  };
  EXPECT_EQ(until("ready")["device"], best_device());
  auto wrong = ask("red", 1);
  wrong.model = (dir / "nowhere").string();
  generate(1, wrong);
  EXPECT_EQ(until("error")["code"], "not_found");
  ASSERT_TRUE(worker->send({{"op", "dance"}, {"id", 2}}));
  EXPECT_EQ(until("error")["code"], "invalid");
  auto r = ask("red dragon", 5);
  r.count = 2;
  r.preview_every = 2;
  generate(3, r);
  EXPECT_EQ(until("progress")["steps"], 4);
  EXPECT_EQ(until("preview")["id"], 3);
  auto result = until("result");
  ASSERT_EQ(result["pictures"].size(), 2u);
  auto png = wire::from_base64(result["pictures"][1]["png"].get<std::string>());
  ASSERT_TRUE(png);
  auto text = pixel::decode_png_text(*png);
  ASSERT_TRUE(text);
  EXPECT_EQ(studio::request_of(*text)->seed, 6u);
  r.steps = 200;
  r.count = 100;
  generate(4, r);
  until("progress");
  ASSERT_TRUE(worker->send({{"op", "cancel"}, {"id", 4}}));
  EXPECT_EQ(until("error")["code"], "cancelled");
}

TEST(Judges, ClassifierLearnsWhatItIsShown) {
  studio::Recipe recipe;
  recipe.sources = {{kFixtures / "dngn", "dungeon", {}}, {kFixtures / "item", "item", {}}};
  auto built = studio::build_dataset(recipe);
  ASSERT_TRUE(built);
  std::vector<const studio::Sample*> all;
  std::vector<Picture> tiles;
  std::vector<Labels> truth, wrong;
  for (const auto& s : built->dataset.samples) {
    all.push_back(&s);
    tiles.push_back(s.picture);
    truth.push_back({{"category", s.kind}});
    wrong.push_back({{"category", s.kind == "item" ? "dungeon" : "item"}});
  }
  auto kind = [](const studio::Sample& s) { return Labels{{"category", s.kind}}; };
  Classifier judge(all, kind, 1, 120, 1);
  EXPECT_GT(judge.score(tiles, truth).at("").share(), 0.9);
  EXPECT_LT(judge.score(tiles, wrong).at("").share(), 0.1);
  auto f = judge.features(tiles);
  EXPECT_LT(std::abs(kernel_distance(f, f)), kernel_distance(f, f + 2) / 10);
}

// The model that ships: it loads, what it draws is true pixel art, and it follows the words.
TEST(ShippedModel, DrawsTheColorThatWasAsked) {
  auto g = Generator::load(fs::path(SPARKY_SOURCE_DIR) / "models/sprite-32");
  ASSERT_TRUE(g) << g.error().text();
  auto warmth = [&](const std::string& prompt) {  // red over blue, summed
    studio::SpriteRequest r;
    r.prompt = prompt;
    r.seed = 5;
    r.steps = 10;
    auto made = g->generate(r, {});
    EXPECT_TRUE(made && made->warnings.empty());
    long sum = 0;
    std::set<pixel::Rgba> colors;
    for (const auto& c : made->pictures[0].pixels) {
      EXPECT_TRUE(c.a == 0 || c.a == 255);
      if (c.a == 0) continue;
      sum += c.r - c.b;
      colors.insert(c);
    }
    EXPECT_GE(colors.size(), 4u);
    EXPECT_LE(colors.size(), 16u);
    return sum;
  };
  EXPECT_GT(warmth("human female, red robe"), warmth("human female, blue robe") + 10'000);
}

}  // namespace
}  // namespace sparky::sprite
