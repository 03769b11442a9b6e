// The worker's side of the conversation in studio/sprite_process.h: requests in on one descriptor, events out.
#pragma once

namespace sparky::sprite {

// Until the input closes. Every failure of a request becomes an error event; only a broken output ends it early.
int serve(int in, int out);

}  // namespace sparky::sprite
