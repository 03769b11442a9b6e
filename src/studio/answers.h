// Answers: what the studio says to the wire's requests about gallery, comparisons and models (wire/studio.h).
#pragma once
#include <filesystem>
#include <vector>

#include "studio/comparison.h"
#include "studio/gallery.h"
#include "studio/models.h"
#include "wire/messages.h"

namespace sparky::studio {

class Answers {
 public:
  // `model_folders`: see studio/models.h.
  Answers(const std::filesystem::path& project, std::vector<std::filesystem::path> model_folders);
  // Any other request is an error. One thread at a time.
  wire::Reply operator()(const wire::Request& request);

 private:
  friend struct Answerer;
  Gallery gallery_;
  ComparisonStore comparisons_;
  ModelShelf shelf_;
  std::vector<std::filesystem::path> model_folders_;
};

}  // namespace sparky::studio
