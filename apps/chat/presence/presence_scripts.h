/**
 * @file
 * What Redis runs. A user is a hash: "NODE/DEVICE" is "STATE EXPIRES_MS", and "last_seen" when the
 * last device went, in milliseconds. The clock is Redis's, so that nodes need not agree on theirs.
 *
 * Redis 5 or later (a script may write after it has asked for the time), and not a cluster (the
 * users of one presence_get() are keys of one script).
 */
#ifndef CHAT_PRESENCE_PRESENCE_SCRIPTS_H
#define CHAT_PRESENCE_PRESENCE_SCRIPTS_H

/** A device is there, or has gone; expired ones are removed.
 * KEYS: the user. ARGV: field, state (0: gone), ttl_ms, how many devices, ttl_ms of the key.
 * @return the user's state before and after */
static const char presence_set_script[] =
    "local time = redis.call('TIME')\n"
    "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
    "local key, mine, state = KEYS[1], ARGV[1], tonumber(ARGV[2])\n"
    "local before, seen, others = 0, 0, {}\n"
    "local all = redis.call('HGETALL', key)\n"
    "for i = 1, #all, 2 do\n"
    "  local field, value = all[i], all[i + 1]\n"
    "  if field == 'last_seen' then\n"
    "    seen = math.max(seen, tonumber(value) or 0)\n"
    "  else\n"
    "    local s, at = string.match(value, '^([12]) (%d+)$')\n"
    "    s, at = tonumber(s), tonumber(at)\n"
    "    if not at or at <= now then\n"
    "      redis.call('HDEL', key, field)\n"
    "      seen = math.max(seen, at or 0)\n"
    "    else\n"
    "      before = math.max(before, s)\n"
    "      if field ~= mine then others[#others + 1] = {field, s, at} end\n"
    "    end\n"
    "  end\n"
    "end\n"
    "if state == 0 then\n"
    "  redis.call('HDEL', key, mine)\n"
    "else\n"
    "  table.sort(others, function(a, b) return a[3] < b[3] end)\n"
    "  while #others >= tonumber(ARGV[4]) do\n"
    "    redis.call('HDEL', key, table.remove(others, 1)[1])\n"
    "  end\n"
    "  redis.call('HSET', key, mine, string.format('%d %d', state, now + tonumber(ARGV[3])))\n"
    "end\n"
    "local after = state\n"
    "for _, other in ipairs(others) do after = math.max(after, other[2]) end\n"
    "if after == 0 and before > 0 then seen = now end\n"
    "if seen > 0 then redis.call('HSET', key, 'last_seen', string.format('%d', seen)) end\n"
    "redis.call('PEXPIRE', key, ARGV[5])\n"
    "return {before, after}\n";

/** KEYS: users. @return for each its state, and when it was last seen (0: online, or not known) */
static const char presence_get_script[] =
    "local time = redis.call('TIME')\n"
    "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
    "local out = {}\n"
    "for k = 1, #KEYS do\n"
    "  local state, seen = 0, 0\n"
    "  local all = redis.call('HGETALL', KEYS[k])\n"
    "  for i = 1, #all, 2 do\n"
    "    if all[i] == 'last_seen' then\n"
    "      seen = math.max(seen, tonumber(all[i + 1]) or 0)\n"
    "    else\n"
    "      local s, at = string.match(all[i + 1], '^([12]) (%d+)$')\n"
    "      s, at = tonumber(s), tonumber(at) or 0\n"
    "      if at > now then state = math.max(state, s) else seen = math.max(seen, at) end\n"
    "    end\n"
    "  end\n"
    "  out[#out + 1] = state\n"
    "  out[#out + 1] = state == 0 and seen or 0\n"
    "end\n"
    "return out\n";

#endif
