#include <syncspawn/launcher.hpp>
#include <syncspawn/launcher/process.hpp>
#include "launcher/plan.hpp"
#include "../launcher/plan.hpp"
  #  include "./../launcher/plan.hpp"
#include <boost/asio.hpp>
