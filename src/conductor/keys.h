// Keys: who may talk to a daemon that listens for other machines (CURVE). `.sparky/keys/` (0700) holds
//   server.json           {"public": …, "secret": …}, each 40 characters of Z85
//   clients/NAME.json     {"public": …, "role": "observe" | "submit" | "operate"}
// A client's secret is given to the client and kept nowhere. Workers need the role operate.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "wire/client.h"

namespace sparky::conductor {

struct AllowedClient {
  std::string name, public_key;
  wire::Role role = wire::Role::observe;
};

std::filesystem::path clients_directory(const std::filesystem::path& project);
// The daemon's own pair. Errc::not_found: none was made.
Result<wire::KeyPair> server_keys(const std::filesystem::path& project);
// Makes them if there are none. An existing pair is never replaced: its clients rely on it.
Result<wire::KeyPair> make_server_keys(const std::filesystem::path& project);
// A new client and its pair. Errc::exists: the name is taken. Errc::invalid: the name is no plain word.
Result<wire::KeyPair> add_client(const std::filesystem::path& project, const std::string& name, wire::Role role);
Status remove_client(const std::filesystem::path& project, const std::string& name);
// A file that cannot be read allows nobody, and is an error here.
Result<std::vector<AllowedClient>> allowed_clients(const std::filesystem::path& project);

std::optional<wire::Role> role_named(std::string_view name);

}  // namespace sparky::conductor
