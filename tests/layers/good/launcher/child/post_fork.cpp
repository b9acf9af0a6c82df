#include <fcntl.h>
#include <sys/prctl.h>
#include <array>
#include <syncspawn/barrier.h>
#include <syncspawn/launcher/step.hpp>
#include "barrier/linux/newer_calls.hpp"
#include "plan.hpp"
#include "launcher/child/plan.hpp"
