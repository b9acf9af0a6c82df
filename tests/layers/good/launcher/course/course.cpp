#include "launcher/plan/definition.hpp"
#include "launcher/start/start_child.hpp"
#include "watch.hpp"
