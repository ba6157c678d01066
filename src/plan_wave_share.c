/*
 * plan_wave_share.c
 *	  What orders that are planned together share: stock, and room in locations' days.
 *
 * That is what is available, as far as the channels that could take it may, and
 * what the orders hold themselves.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "plan_wave.h"

/*
 * oms_wave_number_skus gives each SKU that there are supplies of a number.
 */
void
oms_wave_number_skus(JointPlan *joint)
{
	const World *world = &joint->world;
	int			count = 0;

	joint->sku_of = palloc_extended((world->nsupplies + 1) * sizeof(int), MCXT_ALLOC_HUGE);
	for (int s = 0; s < world->nsupplies; s++)
	{
		count += s == 0 || strcmp(world->supplies[s - 1].sku, world->supplies[s].sku) != 0;
		joint->sku_of[s] = count - 1;
	}
	joint->problem.nskus = count;
}

/*
 * kept_of returns how many units the channels of the wave must leave of a supply:
 * so many as the one that must leave most.
 */
static int64
kept_of(const JointPlan *joint, const Supply *supply, const char **channels, int count)
{
	int64		most = 0;

	for (int c = 0; c < count; c++)
		most = Max(most, oms_channel_leaves(joint->sourcing.rules, channels[c], supply->sku, joint->world.places[supply->place].code));
	return most;
}

/*
 * channels_of lists the channels of the wave's orders, each once.
 */
static const char **
channels_of(const JointPlan *joint, int *count)
{
	const char **channels = palloc((joint->nways + 1) * sizeof(char *));

	*count = 0;
	for (int i = 0; i < joint->nways; i++)
	{
		const char *channel = joint->ways[i].demands[0].channel;
		bool		found = i > 0 && channel && channels[*count - 1] && strcmp(channels[*count - 1], channel) == 0;

		for (int c = 0; c < *count && !found; c++)
			found = channel && channels[c] ? strcmp(channels[c], channel) == 0 : channel == channels[c];
		if (!found)
			channels[(*count)++] = channel;
	}
	return channels;
}

/*
 * oms_wave_share says what the orders may have together: stock, and room in days.
 */
void
oms_wave_share(JointPlan *joint)
{
	World	   *world = &joint->world;
	WaveStock  *stock = palloc_extended((world->nsupplies + 1) * sizeof(WaveStock), MCXT_ALLOC_HUGE);
	int64	   *capacity = palloc0((world->nplaces + 1) * sizeof(int64));
	bool		is_limited = false;
	int			nchannels;
	const char **channels = channels_of(joint, &nchannels);

	for (int s = 0; s < world->nsupplies; s++)
	{
		const Supply *supply = &world->supplies[s];
		int64		kept = joint->sourcing.rules ? kept_of(joint, supply, channels, nchannels) : 0;

		stock[s] = (WaveStock) {joint->sku_of[s], supply->place, Max(0, supply->left - kept)};
	}
	for (int i = 0; i < joint->nways; i++)
	{
		const WaveWay *way = &joint->ways[i];

		for (int k = 0; k < way->nheld; k++)
		{
			const WaveUnits *held = &way->held[k];
			const Demand *demand = &way->demands[held->demand];

			if (demand->tracked)
				stock[oms_find_supply(world, demand->sku, held->place) - world->supplies].units += held->quantity;
			capacity[held->place] += held->quantity;
		}
	}
	for (int place = 0; place < world->nplaces; place++)
	{
		is_limited |= world->places[place].is_limited;
		capacity[place] = world->places[place].is_limited ? capacity[place] + world->places[place].room : SPLIT_UNLIMITED;
	}
	joint->problem.capacity = is_limited ? capacity : NULL;
	joint->problem.nstock = world->nsupplies;
	joint->problem.stock = stock;
	joint->problem.nlocations = world->nplaces;
}
