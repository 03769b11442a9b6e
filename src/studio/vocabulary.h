// Vocabulary: from a prompt to what the network reads. Words are looked up whole; each word also goes in as hashed
// character n-grams, so that a misspelt or unknown word lands near the ones it looks like.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sparky::studio {

// Splits a prompt into lower-case words. Commas and "with", "and", "in", "holding" … become ","; articles vanish.
// "A knight with (red) hair" → knight , red hair
std::vector<std::string> prompt_words(std::string_view prompt);

struct Token {
  int word = 0;              // 0: none (padding), 1: unknown, else an index into the vocabulary
  std::vector<int> n_grams;  // buckets, 0 … n_gram_buckets - 1
};

struct Prompt {
  std::vector<Token> tokens;                   // at most max_tokens
  std::vector<std::string> unknown;            // words that are neither known nor a known style word
  std::map<std::string, std::string> read_as;  // unknown words, and the known synonym or singular taken instead
  size_t dropped = 0;                          // words beyond max_tokens
};

class Vocabulary {
 public:
  int n_gram_buckets = 2048;
  int max_tokens = 32;

  int add(const std::string& word);                    // gives its index; adding twice is harmless
  int size() const { return int(words_.size()) + 2; }  // with padding and unknown
  bool knows(std::string_view word) const { return index_.contains(std::string(word)); }
  const std::vector<std::string>& words() const { return words_; }
  // Known words near to this one in spelling, nearest first; at most `limit`.
  std::vector<std::string> near(std::string_view word, size_t limit = 3) const;

  // The word itself where it is known; else a known synonym or singular ("wooden" → "wood"); else the word itself.
  std::string known_form(const std::string& word) const;

  Token token(std::string_view word) const;
  Prompt encode(std::string_view prompt) const;
  Prompt encode(const std::vector<std::string>& words) const;

  std::string json() const;
  static Result<Vocabulary> parse(std::string_view json);

 private:
  std::vector<std::string> words_;
  std::map<std::string, int> index_;
};

// Words that ask for what every output is anyway ("pixel art", "16-bit", "sprite"): understood, and without effect.
bool is_style_word(std::string_view word);

}  // namespace sparky::studio
