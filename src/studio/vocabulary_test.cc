#include "studio/vocabulary.h"

#include <gtest/gtest.h>

namespace sparky::studio {
namespace {

using Words = std::vector<std::string>;

Vocabulary small() {
  Vocabulary v;
  for (auto w : {",", "dragon", "red", "cloak", "ice", "knight"}) v.add(w);
  return v;
}

TEST(Prompt, SplitsIntoWordsAndGroups) {
  EXPECT_EQ(prompt_words("A Knight with (red) Cloak"), (Words{"knight", ",", "red", "cloak"}));
  EXPECT_EQ(prompt_words("elf, green hood,, bow."), (Words{"elf", ",", "green", "hood", ",", "bow"}));
  EXPECT_EQ(prompt_words("grey wizard's hat"), (Words{"gray", "wizard", "hat"}));
  EXPECT_EQ(prompt_words(" , with and"), Words{});
}

TEST(Prompt, StyleWordsDoNoHarm) {
  EXPECT_EQ(prompt_words("pixel art, 16-bit sprite of a red dragon, game asset"), (Words{"red", "dragon"}));
}

TEST(Vocabulary, KnowsAndNamesTheUnknown) {
  auto v = small();
  auto p = v.encode("a red dargon");
  ASSERT_EQ(p.tokens.size(), 2u);
  EXPECT_GT(p.tokens[0].word, 1);
  EXPECT_EQ(p.tokens[1].word, 1);
  EXPECT_EQ(p.unknown, Words{"dargon"});
  EXPECT_EQ(v.near("dargon"), Words{"dragon"});
}

TEST(Vocabulary, SynonymsAndPluralsStandInOnlyForUnknownWords) {
  auto v = small();
  auto p = v.encode("icy dragons, fiery cape");
  EXPECT_EQ(p.read_as, (std::map<std::string, std::string>{{"icy", "ice"}, {"dragons", "dragon"}, {"cape", "cloak"}}));
  EXPECT_EQ(p.unknown, Words{"fiery"}) << "this vocabulary has no 'fire' to take instead";
  EXPECT_EQ(p.tokens[0].word, v.token("ice").word);
  v.add("cape");
  EXPECT_TRUE(v.encode("cape").read_as.empty());
}

TEST(Vocabulary, MisspeltWordsShareNGrams) {
  auto v = small();
  auto shared = [&](std::string_view a, std::string_view b) {
    size_t n = 0;
    for (int g : v.token(a).n_grams) n += size_t(std::ranges::count(v.token(b).n_grams, g));
    return n;
  };
  EXPECT_GT(shared("dragoon", "dragon"), shared("dragoon", "knight") + 3);
}

TEST(Vocabulary, LongPromptsAreCutAndSaySo) {
  auto v = small();
  v.max_tokens = 4;
  auto p = v.encode("red red red red red dragon");
  EXPECT_EQ(p.tokens.size(), 4u);
  EXPECT_EQ(p.dropped, 2u);
}

TEST(Vocabulary, WrittenReadsBack) {
  auto v = small();
  auto back = Vocabulary::parse(v.json());
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->words(), v.words());
  EXPECT_EQ(back->token("dragon").word, v.token("dragon").word);
  EXPECT_EQ(back->token("dragon").n_grams, v.token("dragon").n_grams);
}

TEST(Vocabulary, RefusesWhatIsNone) {
  for (auto text : {"", "[]", "{}", R"({"format":"sparky-vocabulary-1"})",
                    R"({"format":"sparky-vocabulary-1","n_gram_buckets":0,"max_tokens":4,"words":[]})",
                    R"({"format":"sparky-vocabulary-1","n_gram_buckets":8,"max_tokens":4,"words":[1]})",
                    R"({"format":"sparky-vocabulary-1","n_gram_buckets":8,"max_tokens":4,"words":["a","a"]})"}) {
    EXPECT_FALSE(Vocabulary::parse(text)) << text;
  }
}

}  // namespace
}  // namespace sparky::studio
