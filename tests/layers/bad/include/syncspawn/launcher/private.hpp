#include "barrier/core.hpp"
#include "../../../launcher/plan.hpp"
