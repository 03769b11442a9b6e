// A thin RAII over SQLite: a database, a statement, and its errors as Sparky's.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sparky::journal {

class Statement {
 public:
  Statement() = default;
  Statement& bind(int at, int64_t value);
  Statement& bind(int at, std::string_view blob);  // must stay alive until step()
  Statement& bind_text(int at, std::string_view text);
  Result<bool> step();  // true: a row is there; false: done (and the statement is reset)
  void reset();
  int64_t integer(int column) const;
  std::string_view blob(int column) const;  // valid until the next step
  bool null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> stmt_;
};

class Database {
 public:
  enum class Mode { read, write, create };
  static Result<Database> open(const std::filesystem::path& path, Mode mode);
  Status exec(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  Result<int64_t> integer(const char* sql);  // the first column of the first row; Errc::corrupt without a row

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace sparky::journal
