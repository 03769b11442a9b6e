// The trainer: rectified flow with an exponential moving average of the weights, checkpoints that resume exactly where
// they stopped, and a schedule over a budget of time (for machines where time is what is given) or of steps.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"

namespace sparky::sprite {

struct TrainOptions {
  std::filesystem::path dataset, out;
  bool resume = false;
  double minutes = 0;  // budget over all resumptions; 0: until `steps`
  int64_t steps = 0;   // 0: until `minutes`
  int64_t batch = 64;
  double learning_rate = 1.5e-3;
  double ema = 0.998;
  uint64_t seed = 1;
  double checkpoint_minutes = 4, sheet_minutes = 15;
  std::string channels = "48,128,192";
  std::filesystem::path base;  // a model's folder: train a LoRA on it instead of a network
  int64_t rank = 8;
  double alpha = 8;
};

struct TrainReport {
  int64_t step = 0, samples = 0;
  double seconds = 0, loss = 0, learning_rate = 0, gradient_norm = 0, samples_per_second = 0;
  double seconds_left = 0;
};

// Stops cleanly after the current step, with a checkpoint, once `stop` says so.
Status train(const TrainOptions& options, const std::function<void(const TrainReport&)>& report,
             const std::function<bool()>& stop);

}  // namespace sparky::sprite
