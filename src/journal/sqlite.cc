#include "journal/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <system_error>

namespace sparky::journal {

namespace {

std::unexpected<Error> sqlite_error(sqlite3* db, int rc, std::string_view doing) {
  Errc code = Errc::io;
  int system = db ? sqlite3_system_errno(db) : 0;
  switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a statement that does not fit the file's tables
    case SQLITE_MISMATCH:
      code = Errc::corrupt;
      break;
    case SQLITE_FULL:
      code = Errc::full;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      code = Errc::busy;
      break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      code = Errc::denied;
      break;
    default:
      break;
  }
  bool failed_io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
  if (failed_io && (system == ENOSPC || system == EDQUOT || system == EFBIG)) code = Errc::full;
  if (failed_io && (system == EACCES || system == EPERM)) code = Errc::denied;
  if ((rc & 0xff) == SQLITE_CANTOPEN && system == ENOENT) code = Errc::not_found;
  auto text = fmt::format("{}: {}", doing, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
  if (failed_io && system) text += fmt::format(" ({})", std::generic_category().message(system));
  return fail(code, std::move(text));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Statement& Statement::bind(int at, int64_t value) {
  sqlite3_bind_int64(stmt_.get(), at, value);
  return *this;
}
Statement& Statement::bind(int at, std::string_view blob) {
  // An empty view must bind an empty blob, not NULL.
  sqlite3_bind_blob64(stmt_.get(), at, blob.empty() ? "" : blob.data(), blob.size(), SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind_text(int at, std::string_view text) {
  sqlite3_bind_text64(stmt_.get(), at, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}
Result<bool> Statement::step() {
  int rc = sqlite3_step(stmt_.get());
  if (rc == SQLITE_ROW) return true;
  auto* db = sqlite3_db_handle(stmt_.get());
  if (rc != SQLITE_DONE) {
    auto error = sqlite_error(db, sqlite3_extended_errcode(db), "journal");
    sqlite3_reset(stmt_.get());
    return error;
  }
  sqlite3_reset(stmt_.get());
  return false;
}
void Statement::reset() { sqlite3_reset(stmt_.get()); }
int64_t Statement::integer(int column) const { return sqlite3_column_int64(stmt_.get(), column); }
std::string_view Statement::blob(int column) const {
  auto* data = static_cast<const char*>(sqlite3_column_blob(stmt_.get(), column));
  return data ? std::string_view(data, size_t(sqlite3_column_bytes(stmt_.get(), column))) : std::string_view();
}
bool Statement::null(int column) const { return sqlite3_column_type(stmt_.get(), column) == SQLITE_NULL; }

Result<Database> Database::open(const std::filesystem::path& path, Mode mode) {
  int flags = mode == Mode::read    ? SQLITE_OPEN_READONLY
              : mode == Mode::write ? SQLITE_OPEN_READWRITE
                                    : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* raw = nullptr;
  // Each connection belongs to one thread, so SQLite needs no mutex of its own.
  int rc = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database db;
  db.db_.reset(raw);
  if (rc != SQLITE_OK) return sqlite_error(raw, rc, fmt::format("cannot open {}", path.string()));
  sqlite3_busy_timeout(raw, 5000);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  SPARKY_TRY(db.exec("PRAGMA cell_size_check=ON"));
  return db;
}

Status Database::exec(const char* sql) {
  int rc = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return sqlite_error(db_.get(), sqlite3_extended_errcode(db_.get()), "journal");
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  int rc = sqlite3_prepare_v3(db_.get(), sql.data(), int(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (rc != SQLITE_OK) return sqlite_error(db_.get(), sqlite3_extended_errcode(db_.get()), "journal");
  Statement s;
  s.stmt_.reset(raw);
  return s;
}

Result<int64_t> Database::integer(const char* sql) {
  SPARKY_ASSIGN(auto s, prepare(sql));
  SPARKY_ASSIGN(bool row, s.step());
  if (!row) return fail(Errc::corrupt, fmt::format("journal: no answer to {}", sql));
  return s.integer(0);
}

}  // namespace sparky::journal
