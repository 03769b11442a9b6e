#include "cli/door.h"

#include "base/files.h"
#include "cli/cli.h"
#include "wire/address.h"
#include "wire/client.h"

namespace sparky::cli {

Result<wire::Client> connect(const Context& context) {
  return wire::Client::connect(wire::project_address(find_project(context.project), "sock"), Duration(2'000));
}

Result<std::unique_ptr<wire::Door>> open_door(const Context& context) {
  SPARKY_ASSIGN(auto client, connect(context));
  return std::make_unique<wire::Client>(std::move(client));
}

}  // namespace sparky::cli
