// Comparison: one prompt and one seed through two to four models or LoRAs, and which one a person found best.
// Kept in .sparky/comparisons.json; exported as CSV, as JSON and as one picture.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "pixel/picture.h"

namespace sparky::studio {

struct ComparisonEntry {
  std::string job;  // id of the job that draws it
  std::string model, base_model, lora;
  double lora_strength = 1;
  std::string image;  // path of the picture; empty: not drawn (yet)
  double generation_time_s = 0;
};

struct Comparison {
  std::string id, created;  // created and completed_at: ISO 8601
  std::string prompt;
  uint64_t seed = 0;
  std::vector<ComparisonEntry> entries;  // two to four
  std::string winner;                    // number of an entry from 1, "tie", or empty: not judged yet
  std::string notes, completed_at;
};

Json to_json(const Comparison& comparison);
// Errc::invalid names the field and what would be right.
Result<Comparison> parse_comparison(const Json& json);
// The verdict: "1" … "4" or "tie". Errc::invalid otherwise.
Status judge(Comparison& comparison, std::string_view winner, std::string_view notes, std::string_view at);
// Takes what a job (wire's job_state document) says of its entry: picture and time.
void take_job(Comparison& comparison, const Json& job);

struct Standing {
  std::string model;  // with its LoRA: "sprite-32 + armor"
  int judged = 0, wins = 0, ties = 0;
  double mean_time_s = 0;
  double win_rate() const { return judged ? (wins + 0.5 * ties) / judged : 0; }  // a tie counts half
};
// By win rate, best first; only comparisons with a verdict.
std::vector<Standing> standings(std::span<const Comparison> comparisons);

// One line for each entry, with the header that dgx-pixels' tools read (RFC 4180):
// comparison_id,prompt,seed,model_name,base_model,lora,lora_strength,generation_time_s,winner,notes,completed_at
// `winner` is true or false for the entry, "tie", or empty before the verdict.
std::string to_csv(std::span<const Comparison> comparisons);

// The pictures side by side, each enlarged by a whole factor to about the same height; the winner has a gold frame.
pixel::Picture side_by_side(std::span<const pixel::Picture> pictures, std::optional<size_t> winner);

class ComparisonStore {
 public:
  explicit ComparisonStore(const std::filesystem::path& project);
  Result<std::vector<Comparison>> list() const;  // newest first
  Status save(const Comparison& comparison);     // a new one, or instead of the one with its id

 private:
  std::filesystem::path file_;
};

}  // namespace sparky::studio
