#include <vector>
#include <mutex>
#include <string>
#include <cstdio>
#include "launcher/plan/schedule.hpp"
#include "../plan/schedule.hpp"
#include <syncspawn/launcher/process.hpp>
#include <syncspawn/launcher.hpp>
