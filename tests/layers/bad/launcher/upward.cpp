#include <syncspawn/sandbox.hpp>
#include "sandbox/mount.hpp"
#include "launcher/sandbox/mount.hpp"
#include "tests/support/peer.hpp"
#include "../tools/render.hpp"
