#include "conductor/keys.h"

#include <fmt/format.h>
#include <zmq.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"

namespace sparky::conductor {
namespace fs = std::filesystem;

namespace {

fs::path directory(const fs::path& project) { return project / ".sparky" / "keys"; }
fs::path client_file(const fs::path& project, const std::string& name) {
  return clients_directory(project) / (name + ".json");
}

Result<wire::KeyPair> new_pair() {
  char pub[41], secret[41];
  if (zmq_curve_keypair(pub, secret) != 0)
    return fail(Errc::unavailable, "this libzmq has no CURVE security", "install a libzmq with libsodium");
  return wire::KeyPair{pub, secret};
}

Result<std::string> text_field(const fs::path& file, const char* field) {
  SPARKY_ASSIGN(auto bytes, read_file(file, 1 << 16));
  auto json = parse_json(bytes);
  if (!json || !json->is_object() || !json->contains(field) || !(*json)[field].is_string())
    return fail(Errc::corrupt, fmt::format("{} has no \"{}\"", file.string(), field),
                "remove the file and make the keys anew: sparky keys");
  return (*json)[field].get<std::string>();
}

Status write_private(const fs::path& project, const fs::path& file, const Json& json) {
  SPARKY_TRY(make_directories(project / ".sparky", 0700));
  SPARKY_TRY(make_directories(file.parent_path(), 0700));
  return write_file_atomic(file, json_text(json, 1) + "\n", {.overwrite = false, .mode = 0600});
}

}  // namespace

fs::path clients_directory(const fs::path& project) { return directory(project) / "clients"; }

std::optional<wire::Role> role_named(std::string_view text) {
  for (auto role : {wire::Role::observe, wire::Role::submit, wire::Role::operate})
    if (name(role) == text) return role;
  return std::nullopt;
}

Result<wire::KeyPair> server_keys(const fs::path& project) {
  auto file = directory(project) / "server.json";
  wire::KeyPair pair;
  SPARKY_ASSIGN(pair.public_key, text_field(file, "public"));
  SPARKY_ASSIGN(pair.secret_key, text_field(file, "secret"));
  return pair;
}

Result<wire::KeyPair> make_server_keys(const fs::path& project) {
  auto known = server_keys(project);
  if (known || !known.error().is(Errc::not_found)) return known;
  SPARKY_ASSIGN(auto pair, new_pair());
  SPARKY_TRY(write_private(project, directory(project) / "server.json",
                           {{"public", pair.public_key}, {"secret", pair.secret_key}}));
  return pair;
}

Result<wire::KeyPair> add_client(const fs::path& project, const std::string& client, wire::Role role) {
  auto plain = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; };
  if (client.empty() || client.size() > 64 || !std::ranges::all_of(client, plain))
    return fail(Errc::invalid, fmt::format("'{}' is no name for a client", client), "use letters, digits, - and _");
  SPARKY_ASSIGN(auto pair, new_pair());
  auto written = write_private(project, client_file(project, client),
                               {{"public", pair.public_key}, {"role", std::string(name(role))}});
  if (!written && written.error().is(Errc::exists))
    return fail(Errc::exists, fmt::format("there is a client '{}' already", client),
                fmt::format("take another name, or first: sparky keys remove {}", client));
  SPARKY_TRY(written);
  return pair;
}

Status remove_client(const fs::path& project, const std::string& client) {
  std::error_code ec;
  if (client.find('/') == client.npos && fs::remove(client_file(project, client), ec)) return {};
  return fail(Errc::not_found, fmt::format("there is no client '{}'", client), "`sparky keys list` names them");
}

Result<std::vector<AllowedClient>> allowed_clients(const fs::path& project) {
  std::vector<AllowedClient> all;
  std::error_code ec;
  for (auto& entry : fs::directory_iterator(clients_directory(project), ec)) {
    if (entry.path().extension() != ".json") continue;
    AllowedClient client{.name = entry.path().stem().string()};
    SPARKY_ASSIGN(client.public_key, text_field(entry.path(), "public"));
    SPARKY_ASSIGN(auto role, text_field(entry.path(), "role"));
    auto known = role_named(role);
    if (!known)
      return fail(Errc::corrupt, fmt::format("{}: '{}' is no role", entry.path().string(), role),
                  "observe, submit or operate");
    client.role = *known;
    all.push_back(std::move(client));
  }
  std::ranges::sort(all, {}, &AllowedClient::name);
  return all;
}

}  // namespace sparky::conductor
