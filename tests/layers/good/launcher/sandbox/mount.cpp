#include "barrier/linux/proc.hpp"
#include "child/mount.hpp"
#include <syncspawn/sandbox.hpp>
#include <syncspawn/steps.hpp>
