#include "zk_test.h"
