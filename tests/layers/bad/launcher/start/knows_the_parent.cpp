#include "launcher/course/course.hpp"
#include "launcher/plan/schedule.hpp"
