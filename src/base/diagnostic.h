// Diagnostic: a finding in a file that a person wrote (plan, spec, config), printed as compilers do.
#pragma once
#include <string>
#include <vector>

namespace sparky {

enum class Severity { error, warning, note };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string file;
  int line = 0;         // from 1; 0: the whole file
  int column = 0;       // from 1, in characters; 0: the whole line
  std::string message;  // what is wrong
  std::string help;     // what would be right; may be empty

  // "file:line:col: error: message\n  help: …" without a final newline.
  std::string text() const;
};

bool has_errors(const std::vector<Diagnostic>& found);

}  // namespace sparky
