#include "barrier/core.hpp"
#include "launcher/child/plan.hpp"
