/*
 * steps.c
 *	  Running the actions of a statement's moves.
 *
 * moves.c comes here once the guards have let the rows pass.  Rows that do the
 * same are done together.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "functions.h"
#include "giveway.h"
#include "moves.h"
#include "plan.h"

static const StoreQuery lock_stock = {
	"SELECT s.sku FROM @.stock s JOIN (SELECT DISTINCT l.sku, f.location FROM @.fulfillments f"
	" JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id WHERE f.id" EQ "ANY ($1) AND l.tracked) w"
	" ON w.sku" EQ "s.sku AND w.location" EQ "s.location ORDER BY s.sku, s.location FOR NO KEY UPDATE OF s",
	1, {UUIDARRAYOID}
};

static void run_steps(Store *store, EntityKind entity, Mover *movers, int count);

/*
 * compare_releasing puts the rows first that release, others as they were.
 */
static int
compare_releasing(const void *a, const void *b)
{
	int			releases[2] = {0, 0};

	for (int side = 0; side < 2; side++)
	{
		const Mover *mover = side == 0 ? a : b;

		for (int j = 0; mover->move && j < mover->move->nactions; j++)
			releases[side] |= strcmp(mover->move->actions[j].name, "release") == 0;
	}
	if (releases[0] != releases[1])
		return releases[1] - releases[0];
	return oms_uuid_cmp(a, b);
}

/*
 * compare_rows orders pointers to rows by id, as actions expect them.
 */
static int
compare_rows(const void *a, const void *b)
{
	return oms_uuid_cmp(*(Mover *const *) a, *(Mover *const *) b);
}

/*
 * writes_stock tells whether an action may lock stock rows.
 */
static bool
writes_stock(const Action *action)
{
	return action && strcmp(action->name, "confirm") != 0 && strcmp(action->name, "deliver") != 0;
}

/*
 * oms_run_actions runs the actions of a statement's moves.  Each takes stock rows
 * in their order, but two of them would not do so together: where a statement
 * has more than one kind, the rows of all its fulfillments are locked first,
 * orders are released before others reserve, and what then needs other rows
 * does not wait for them.
 */
void
oms_run_actions(Store *store, EntityKind entity, Mover *movers, int count)
{
	const Action *first = NULL;
	bool		mixed = false;
	bool		before;

	for (int i = 0; i < count; i++)
	{
		for (int j = 0; movers[i].move && j < movers[i].move->nactions; j++)
		{
			const Action *action = movers[i].move->actions[j].action;

			mixed |= writes_stock(action) && first && action != first;
			if (writes_stock(action))
				first = action;
		}
	}
	if (!mixed)
	{
		run_steps(store, entity, movers, count);
		return;
	}
	if (entity == ENTITY_ORDER)
		qsort(movers, count, sizeof(Mover), compare_releasing);
	else
	{
		Array	   *ids = oms_array(UUIDOID, count);

		for (int i = 0; i < count; i++)
			oms_array_add_uuid(ids, &movers[i].id);
		(void) oms_run(store, &lock_stock, (Datum[]) {oms_array_datum(ids)});
	}
	before = oms_set_stock_locked(true);
	PG_TRY();
	{
		run_steps(store, entity, movers, count);
	}
	PG_FINALLY();
	{
		(void) oms_set_stock_locked(before);
	}
	PG_END_TRY();
}

/*
 * run_steps runs the actions of all moves, step by step: first the first
 * action of each move, rows with the same one together, then the second.
 */
static void
run_steps(Store *store, EntityKind entity, Mover *movers, int count)
{
	Mover	  **rows = palloc_extended(Max(1, count) * sizeof(Mover *), MCXT_ALLOC_HUGE);
	FunctionCalls calls = {NULL};
	bool		more = true;

	for (int step = 0; more; step++)
	{
		bool	   *done = palloc0(Max(1, count) * sizeof(bool));

		more = false;
		for (int i = 0; i < count; i++)
		{
			const Action *action;
			int			nrows = 0;

			if (done[i] || !movers[i].move || step >= movers[i].move->nactions)
				continue;
			more = true;
			action = movers[i].move->actions[step].action;
			if (!action)
			{
				oms_call_function(store, &calls, entity, &movers[i], movers[i].move->actions[step].name);
				continue;
			}
			for (int j = i; j < count; j++)
			{
				if (!movers[j].move || step >= movers[j].move->nactions ||
					movers[j].move->actions[step].action != action)
					continue;
				done[j] = true;
				rows[nrows++] = &movers[j];
			}
			qsort(rows, nrows, sizeof(Mover *), compare_rows);
			action->act(store, rows, nrows);
		}
	}
}
