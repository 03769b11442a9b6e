// Screens: each a function from the model to a picture of cells, and the table of what its keys do.
#pragma once
#include "tui/model.h"
#include "tui/view.h"

namespace sparky::tui {

// The whole window: the screens' names, the screen, notices, hints. Every size works; a tiny one says what it needs.
Element draw(Model& model, Stage& stage);

Element draw_generation(Model& model, Stage& stage, int width, int height);
Element draw_comparison(Model& model, Stage& stage, int width, int height);
Element draw_queue(Model& model, Stage& stage, int width, int height);
Element draw_gallery(Model& model, Stage& stage, int width, int height);
Element draw_models(Model& model, Stage& stage, int width, int height);
Element draw_monitor(Model& model, Stage& stage, int width, int height);
Element draw_settings(Model& model, Stage& stage, int width, int height);
Element draw_help(Model& model, Stage& stage, int width, int height);
Element draw_plan(Model& model, Stage& stage, int width, int height);

const std::vector<Action>& generation_actions();
const std::vector<Action>& comparison_actions();
const std::vector<Action>& queue_actions();
const std::vector<Action>& gallery_actions();
const std::vector<Action>& model_actions();
const std::vector<Action>& setting_actions();
const std::vector<Action>& plan_actions();

bool key_of_generation(Model& model, const Key& key, Effects& effects);  // while a field is edited
void generate(Model& model, Effects& effects, bool new_seed);
// What the form asks for, without an id; nothing, and said why, if it cannot be asked for.
std::optional<wire::Generate> request_of(Model& model);
void new_comparison(Model& model);                    // asks for the models that draw the form's prompt
void use_request(Model& model, const Json& request);  // a picture's own request into the fields
Ask run_of(const std::string& plan);                  // by its path on the daemon's machine
bool back(Model& model);                              // esc; false: there is nothing to go back from

// A picture by its path: what is known of it; asks for what is missing.
PicturePtr picture_of(Model& model, Stage& stage, const std::string& path);

// "done, total" as marks and colours that all screens share.
struct Mark {
  std::string text;
  ftxui::Color color;
};
Mark mark_of(const Theme& theme, std::string_view state);
std::string ago(const Model& model, Time time);  // "3m 20s", since then
// Lines of text, the last ones if there are too many.
Element tail_of(const std::string& text, int width, int height);
Element empty_hint(const std::vector<std::string>& lines);
// "3 of 30 jobs with "dragon"", and how to see all again where none is left. `one`: what one of them is.
std::string count_of(const ListState& list, size_t all, const std::string& one);

}  // namespace sparky::tui
