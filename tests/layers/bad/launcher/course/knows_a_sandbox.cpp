#include "launcher/sandbox/mount.hpp"
