"""Folding a batch over the histories of one role: the hot loop, plain Python over flat columns.

One source, two speeds. Imported as it is, these functions run on lists. `history.compiled_kernel` loads this same file
a second time with `JIT` set to Numba's decorator and NumPy arrays in place of the lists. Nothing here may therefore
use more of Python than integers, floats, indexing and loops.

How a window is computed. The rows of an entity stand in one block of the arena, sorted by (occurred_at, id bytes):

    start       head                         lo              end        tail   room
      | evicted  | visible to no search ...  | in the window  | later    |  ..  |

`prefix` holds *exclusive* running totals, so a sum over [lo, end) is prefix[end] - prefix[lo]; position `tail` holds
the total of all, hence a block always keeps one position free. A count is a difference of positions. Totals are exact
64-bit integers in minor units and are rebased to zero whenever a block moves.

Squares. |amount| <= 2**40, so a = hi * 2**20 + lo with hi, lo < 2**20 in magnitude, and the totals of hi*hi, hi*lo,
lo*lo stay below 2**63 for 2**23 rows. n * sum(a*a) - sum(a)**2 is formed from them in limbs of 20 bits, exactly, and
rounded once (`variance_numerator`).

Missing values are NaN: no input can be NaN, so a value carries its own validity. Truths are 0 false, 1 unknown, 2 true.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function")

compiled: Callable[[Function], Function] = globals().get("JIT", lambda function: function)

NAN = math.nan
INF = math.inf
LARGEST_EXACT = 9_007_199_254_740_992  # 2**53: beyond it a sum is refused, never rounded silently
EARTH_RADIUS_M = 6_371_008.8
FAR_PAST = -(2**62)

# A feature's operation.
COUNT, SUM, STDDEV, MIN, MAX, DISTINCT, IS_NEW, PREVIOUS, SINCE_LAST, SINCE_FIRST, DISTANCE, SPEED = range(12)

# A feature is described by this many integers, at these places.
F_OP, F_OUT, F_LOOK, F_SPAN, F_CALENDAR, F_CURRENT, F_PREFIX, F_VALUE, F_MASK, F_X, F_XMASK, F_PARAM, F_DAY, F_SCAN = (
    range(14)
)
F_SIZE = 14

# A prefix column: what it totals (kind), the column of the value (or -1), the column of the `where=` truth (or -1).
ROWS, VALID, TOTAL, HIGH_SQUARE, CROSS, LOW_SQUARE = range(6)
P_SIZE = 3

FLAG_EXPIRED = 1
FLAG_OVERFLOW = 2


@compiled
def first_after(when: Any, moment: int, low: int, high: int) -> int:
    """The first position in [low, high) whose time is later than `moment`: galloping from the right, then bisection."""
    step = 1
    top = high
    bottom = high - 1
    while bottom >= low and when[bottom] > moment:
        top = bottom
        bottom -= step
        step += step
    bottom += 1
    if bottom < low:
        bottom = low
    while bottom < top:
        middle = (bottom + top) >> 1
        if when[middle] > moment:
            top = middle
        else:
            bottom = middle + 1
    return bottom


@compiled
def precedes(ids: Any, one: int, other: int) -> bool:
    """Whether the id stored at `one` sorts before the one at `other` by its bytes (two length bytes stand first)."""
    length_one = ids[one] * 256 + ids[one + 1]
    length_other = ids[other] * 256 + ids[other + 1]
    for k in range(min(length_one, length_other)):
        if ids[one + 2 + k] != ids[other + 2 + k]:
            return bool(ids[one + 2 + k] < ids[other + 2 + k])
    return bool(length_one < length_other)


@compiled
def limb_of(value: int, k: int) -> int:
    """The k-th limb of 20 bits of a 64-bit integer; the fourth keeps the sign."""
    return value >> 60 if k == 3 else (value >> (20 * k)) & 0xFFFFF


@compiled
def variance_numerator(n: int, total: int, high: int, cross: int, low: int) -> float:
    """n * sum(x*x) - (sum x)**2 as the nearest float64, formed exactly from the totals of `prefix`.

    sum(x*x) = high * 2**40 + cross * 2**21 + low. The result is carried in limbs of 20 bits (long multiplication),
    then its leading 60 or more bits are rounded once, everything below them folded into a sticky bit.
    """
    if (
        high == 0
        and -1048576 < cross < 1048576
        and low < 1099511627776
        and n < 1048576
        and -1073741824 < total < 1073741824
    ):
        small = n * (low + cross * 2097152) - total * total
        if small < LARGEST_EXACT:
            return float(small)
    l0 = l1 = l2 = l3 = l4 = l5 = l6 = l7 = 0
    # sum of squares in limbs s0..s5: low at limb 0, 2*cross at limb 1, high at limb 2
    s0 = limb_of(low, 0)
    s1 = limb_of(low, 1) + 2 * limb_of(cross, 0)
    s2 = limb_of(low, 2) + 2 * limb_of(cross, 1) + limb_of(high, 0)
    s3 = limb_of(low, 3) + 2 * limb_of(cross, 2) + limb_of(high, 1)
    s4 = 2 * limb_of(cross, 3) + limb_of(high, 2)
    s5 = limb_of(high, 3)
    n0 = limb_of(n, 0)
    n1 = limb_of(n, 1)
    t0 = limb_of(total, 0)
    t1 = limb_of(total, 1)
    t2 = limb_of(total, 2)
    t3 = limb_of(total, 3)
    l0 = n0 * s0 - t0 * t0
    l1 = n0 * s1 + n1 * s0 - 2 * t0 * t1
    l2 = n0 * s2 + n1 * s1 - 2 * t0 * t2 - t1 * t1
    l3 = n0 * s3 + n1 * s2 - 2 * t0 * t3 - 2 * t1 * t2
    l4 = n0 * s4 + n1 * s3 - 2 * t1 * t3 - t2 * t2
    l5 = n0 * s5 + n1 * s4 - 2 * t2 * t3
    l6 = n1 * s5 - t3 * t3
    l1 += l0 >> 20
    l0 &= 0xFFFFF
    l2 += l1 >> 20
    l1 &= 0xFFFFF
    l3 += l2 >> 20
    l2 &= 0xFFFFF
    l4 += l3 >> 20
    l3 &= 0xFFFFF
    l5 += l4 >> 20
    l4 &= 0xFFFFF
    l6 += l5 >> 20
    l5 &= 0xFFFFF
    l7 = l6 >> 20
    l6 &= 0xFFFFF
    # slide the leading limb to the top, remembering in `sticky` whether anything below the kept four is not zero
    exponent = 0
    sticky = 0
    for _ in range(4):
        if l7 == 0 and l6 == 0 and l5 == 0 and l4 == 0:
            break
        sticky |= l0
        l0, l1, l2, l3, l4, l5, l6, l7 = l1, l2, l3, l4, l5, l6, l7, 0
        exponent += 20
    lead = (l3 << 40) | (l2 << 20) | l1  # at most 60 bits
    shift = 0
    while shift < 20 and lead < 1152921504606846976:  # 2**60
        lead = (lead << 1) | ((l0 >> (19 - shift)) & 1)
        shift += 1
    rest = l0 & ((1 << (20 - shift)) - 1)
    if rest != 0 or sticky != 0:
        lead |= 1
    return float(lead) * 2.0 ** (exponent + 20 - shift)


@compiled
def distance_m(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Great-circle distance in whole metres on a sphere of the mean radius (haversine formula)."""
    phi = math.radians(latitude)
    other_phi = math.radians(other_latitude)
    sine_phi = math.sin((other_phi - phi) / 2.0)
    sine_lambda = math.sin(math.radians(other_longitude - longitude) / 2.0)
    chord = sine_phi * sine_phi + math.cos(phi) * math.cos(other_phi) * sine_lambda * sine_lambda
    if chord > 1.0:
        chord = 1.0
    return float(round(2.0 * EARTH_RADIUS_M * math.asin(math.sqrt(chord))))


@compiled
def increment(kind: int, value: float) -> int:
    """What one valid value adds to a prefix column of this kind."""
    x = int(value)
    if kind == TOTAL:
        return x
    if kind == VALID:
        return 1
    low = x & 0xFFFFF
    high = x >> 20
    if kind == HIGH_SQUARE:
        return high * high
    if kind == CROSS:
        return high * low
    return low * low


@compiled
def live_rows(count: int, head: Any, tail: Any) -> int:
    """How many rows the first `count` entities hold."""
    rows = 0
    for e in range(count):
        rows += tail[e] - head[e]
    return rows


@compiled
def repack(
    count: int,
    start: Any,
    head: Any,
    tail: Any,
    room: Any,
    when: Any,
    name: Any,
    prefix: Any,
    kept: Any,
    new_when: Any,
    new_name: Any,
    new_prefix: Any,
    new_kept: Any,
    prefix_count: int,
    value_count: int,
) -> int:
    """Copy every block into a new arena, side by side, without what was evicted; totals start again at zero.

    Each block keeps an eighth of its length free. Returns how much of the arena is used.
    """
    target = 0
    for e in range(count):
        low = head[e]
        rows = tail[e] - low
        if rows == 0:
            start[e] = head[e] = tail[e] = room[e] = 0
            continue
        for k in range(rows):
            new_when[target + k] = when[low + k]
            new_name[target + k] = name[low + k]
        for k in range(rows * value_count):
            new_kept[target * value_count + k] = kept[low * value_count + k]
        for p in range(prefix_count):
            base = prefix[low * prefix_count + p]
            for k in range(rows + 1):
                new_prefix[(target + k) * prefix_count + p] = prefix[(low + k) * prefix_count + p] - base
        start[e] = head[e] = target
        tail[e] = target + rows
        target += rows + (rows >> 3) + 2
        room[e] = target
    return target


@compiled
def fold(
    first: int,
    last: int,
    moments: Any,  # event time of each row of the batch
    day_only: Any,  # 1 where a row is a date without a time
    names: Any,  # where each row's id stands in `ids`
    ids: Any,
    looks: Any,  # looks[0][i] the entity of row i (-1: its key is missing), looks[k][i] the one it looks up by `of=`
    X: Any,  # columns of the batch, read and written
    features: Any,
    feature_count: int,
    prefixes: Any,
    prefix_count: int,
    values: Any,  # the column each stored value is taken from
    value_count: int,
    retention: int,
    exact: int,  # 1 where lateness is measured on this role
    start: Any,
    head: Any,
    tail: Any,
    room: Any,
    top: Any,
    when: Any,
    name: Any,
    prefix: Any,
    kept: Any,
    stamp: Any,
    clock: Any,
    late: Any,
    flags: Any,
) -> int:
    """Compute the features of rows first..last and add each row to its entity's history, in order of arrival.

    Returns the row it stopped before because the arena is full (grow it and call again), or `last`.
    """
    capacity = len(when)
    for i in range(first, last):
        moment = moments[i]
        own = looks[0][i]
        newest = FAR_PAST
        if own >= 0 and tail[own] > head[own]:
            newest = when[tail[own] - 1]
            if exact == 1 and newest - moment > late[i]:
                late[i] = newest - moment
        own_horizon = (newest if newest > moment else moment) - retention
        own_end = 0
        if own >= 0:
            own_end = tail[own]
            if newest > moment:
                own_end = first_after(when, moment, head[own], tail[own])
        look = -1
        entity = -1
        floor = 0
        end = 0
        horizon = 0
        nearest = 0
        for f in range(feature_count):
            at = f * F_SIZE
            out = features[at + F_OUT]
            X[out][i] = NAN
            if features[at + F_LOOK] != look:
                look = features[at + F_LOOK]
                entity = looks[look][i]
                if entity >= 0:
                    floor = head[entity]
                    if entity == own:
                        end = own_end
                        horizon = own_horizon
                    elif tail[entity] > floor:
                        end = first_after(when, moment, floor, tail[entity])
                        horizon = when[tail[entity] - 1] - retention
                    else:
                        end = floor
                        horizon = FAR_PAST
                    nearest = end
            if entity < 0 or (features[at + F_DAY] == 1 and day_only[i] == 1):
                continue
            begin = horizon
            if features[at + F_SPAN] >= 0:
                begin = moment - features[at + F_SPAN]
            elif features[at + F_CALENDAR] >= 0:
                begin = int(X[features[at + F_CALENDAR]][i]) - 1
            if begin < horizon or moment < horizon:
                flags[i] |= FLAG_EXPIRED
                continue
            if features[at + F_SPAN] >= 0:
                # these come from the shortest to the longest of a look, so each begins at or before the last one
                low = nearest = first_after(when, begin, floor, nearest)
            else:
                low = first_after(when, begin, floor, end)
            op = features[at + F_OP]
            mask = features[at + F_MASK]
            x_at = features[at + F_X]
            x = X[x_at][i] if x_at >= 0 else 0.0
            counts = features[at + F_CURRENT] == 1 and entity == own
            if counts and features[at + F_XMASK] >= 0 and X[features[at + F_XMASK]][i] != 2.0:
                counts = False
            value_at = features[at + F_VALUE]
            if op <= STDDEV:
                n = 0
                total = 0
                high = 0
                cross = 0
                lows = 0
                p = features[at + F_PREFIX]
                if features[at + F_SCAN] == 1:
                    for k in range(low, end):
                        if kept[k * value_count + mask] == 2.0:
                            seen = kept[k * value_count + value_at] if value_at >= 0 else 0.0
                            if seen == seen:
                                n += 1
                                if op != COUNT:
                                    total += int(seen)
                                if op == STDDEV:
                                    high += increment(HIGH_SQUARE, seen)
                                    cross += increment(CROSS, seen)
                                    lows += increment(LOW_SQUARE, seen)
                elif op == COUNT and p < 0:
                    n = end - low
                elif op == COUNT and end > low:
                    n = prefix[end * prefix_count + p] - prefix[low * prefix_count + p]
                elif end > low:
                    above = end * prefix_count + p
                    below = low * prefix_count + p
                    total = prefix[above] - prefix[below]
                    if op == STDDEV:
                        n = prefix[above + 1] - prefix[below + 1]
                        high = prefix[above + 2] - prefix[below + 2]
                        cross = prefix[above + 3] - prefix[below + 3]
                        lows = prefix[above + 4] - prefix[below + 4]
                if counts and x == x:
                    n += 1
                    if op != COUNT:
                        total += int(x)
                    if op == STDDEV:
                        high += increment(HIGH_SQUARE, x)
                        cross += increment(CROSS, x)
                        lows += increment(LOW_SQUARE, x)
                if op == COUNT:
                    X[out][i] = float(n)
                elif total > LARGEST_EXACT or total < -LARGEST_EXACT:
                    flags[i] |= FLAG_OVERFLOW
                elif op == SUM:
                    X[out][i] = float(total)
                elif n >= features[at + F_PARAM] and n > 1:
                    X[out][i] = math.sqrt(variance_numerator(n, total, high, cross, lows) / float(n * (n - 1)))
            elif op <= MAX:
                best = x if counts else NAN
                for k in range(low, end):
                    if mask < 0 or kept[k * value_count + mask] == 2.0:
                        seen = kept[k * value_count + value_at]
                        if seen == seen and (best != best or (seen < best if op == MIN else seen > best)):
                            best = seen
                X[out][i] = best
            elif op == DISTINCT:
                n = 0
                clock[0] += 1
                if counts and x == x:
                    stamp[int(x)] = clock[0]
                    n = 1
                for k in range(low, end):
                    if mask < 0 or kept[k * value_count + mask] == 2.0:
                        seen = kept[k * value_count + value_at]
                        if seen == seen and stamp[int(seen)] != clock[0]:
                            stamp[int(seen)] = clock[0]
                            n += 1
                X[out][i] = float(n)
            elif op == IS_NEW:
                if x == x:
                    found = 1.0 if features[at + F_PARAM] == 1 else NAN
                    k = end - 1
                    while k >= low:
                        if mask < 0 or kept[k * value_count + mask] == 2.0:
                            seen = kept[k * value_count + value_at]
                            if seen == x:
                                found = 0.0
                                break
                            if seen == seen:
                                found = 1.0
                        k -= 1
                    X[out][i] = found
            elif op == SINCE_FIRST:
                k = low
                while k < end and mask >= 0 and kept[k * value_count + mask] != 2.0:
                    k += 1
                if k < end:
                    X[out][i] = float(moment - when[k])
            else:
                k = end - 1
                while k >= low and (
                    (mask >= 0 and kept[k * value_count + mask] != 2.0)
                    or (op == PREVIOUS and kept[k * value_count + value_at] != kept[k * value_count + value_at])
                ):
                    k -= 1
                if k >= low:
                    if op == PREVIOUS:
                        X[out][i] = kept[k * value_count + value_at]
                    elif op == SINCE_LAST:
                        X[out][i] = float(moment - when[k])
                    else:
                        latitude = kept[k * value_count + value_at]
                        longitude = kept[k * value_count + value_at + 1]
                        y = X[features[at + F_PARAM]][i]
                        if latitude == latitude and longitude == longitude and x == x and y == y:
                            metres = distance_m(latitude, longitude, x, y)
                            if op == DISTANCE:
                                X[out][i] = metres / 1000.0
                            elif day_only[i] == 0 and kept[k * value_count + value_at + 2] == 0.0:
                                elapsed = moment - when[k]
                                if elapsed > 0:
                                    X[out][i] = metres / 1000.0 / (float(elapsed) / 3600000.0)
                                else:
                                    X[out][i] = INF if metres > 0.0 else 0.0
        # the row enters its own history, unless it lies below the horizon
        if own < 0 or moment <= own_horizon:
            continue
        position = own_end
        bottom = head[own]
        upper = tail[own]
        while bottom < upper - 1 and when[bottom] <= own_horizon:
            bottom += 1
        if upper + 1 >= room[own]:
            live = upper - bottom
            target = start[own]
            size = live + (live >> 1) + 3
            if live + 2 + (live >> 2) > room[own] - target:
                target = top[0]
                if target + size > capacity:
                    return i
                top[0] = target + size
                start[own] = target
                room[own] = target + size
            position += target - bottom
            for k in range(live):
                when[target + k] = when[bottom + k]
                name[target + k] = name[bottom + k]
            for k in range(live * value_count):
                kept[target * value_count + k] = kept[bottom * value_count + k]
            for p in range(prefix_count):
                base = prefix[bottom * prefix_count + p] if live > 0 else 0
                for k in range(live + 1):
                    total = prefix[(bottom + k) * prefix_count + p] if live > 0 else 0
                    prefix[(target + k) * prefix_count + p] = total - base
            bottom = target
            upper = target + live
        head[own] = bottom
        while position > bottom and when[position - 1] == moment and precedes(ids, names[i], name[position - 1]):
            position -= 1
        k = upper
        while k > position:
            when[k] = when[k - 1]
            name[k] = name[k - 1]
            for v in range(value_count):
                kept[k * value_count + v] = kept[(k - 1) * value_count + v]
            k -= 1
        when[position] = moment
        name[position] = names[i]
        for v in range(value_count):
            kept[position * value_count + v] = X[values[v]][i] if values[v] >= 0 else 0.0
        for p in range(prefix_count):
            delta = 0
            x_at = prefixes[p * P_SIZE + 1]
            mask = prefixes[p * P_SIZE + 2]
            if mask < 0 or X[mask][i] == 2.0:
                if x_at < 0:
                    delta = 1
                else:
                    x = X[x_at][i]
                    if x == x:
                        delta = increment(prefixes[p * P_SIZE], x)
            for k in range(upper, position - 1, -1):
                prefix[(k + 1) * prefix_count + p] = prefix[k * prefix_count + p] + delta
        tail[own] = upper + 1
    return last
